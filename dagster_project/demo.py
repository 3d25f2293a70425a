"""`make demo`: from a sample warehouse to a local receiver through Dagster, twice.

A third time sends nothing.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from connector.commands.rejected import rejected
from connector.config.destination import Destination
from connector.config.loader import load
from connector.errors import ConnectorError
from connector.sandbox import sample
from connector.sandbox.server import Receiver, Settings, running
from dagster_project.definitions import defs

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".capi" / "demo"
WAREHOUSE = FOLDER / "warehouse.duckdb"
DESTINATIONS = ("demo_dsp", "demo_leads")
ROWS, MORE_ROWS = 10_000, 500
SETTINGS = """telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300
"""
"""`dagster.yaml`: tells nobody, asks nothing, and ends runs whose process is gone."""


def main() -> int:
    """Build what is missing, deliver, print what became of it."""
    console = Console(width=124)
    token = prepare()
    try:
        with running(Settings(port=port(), token=token)) as receiver:
            console.print(f"receiver: {receiver.url}")
            return _deliver_twice(console, receiver)
    except ConnectorError as error:
        console.print(f"[red]{error}[/red]")
        return error.exit_code


def prepare() -> str:
    """Makes the demo's folder, the receiver's token and Dagster's home, once; returns the token."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(ROOT / ".dagster")))
    home.mkdir(mode=0o700, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = FOLDER / "token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text("demo-token-of-the-local-receiver\n", encoding="utf-8")
    return token.read_text(encoding="utf-8").strip()


def port() -> int:
    """Where the demo destinations expect the receiver."""
    return urlsplit(_destination(DESTINATIONS[0]).model.endpoint or "").port or 0


def build_warehouse() -> bool:
    """Create the warehouse; False where it is there already."""
    if WAREHOUSE.exists():
        return False
    now = dt.datetime.now(dt.UTC)
    sample.build(WAREHOUSE, ROWS, until=now - dt.timedelta(minutes=20), over=dt.timedelta(days=6))
    return True


def add_rows() -> None:
    """Another load of the warehouse, a few minutes ago."""
    now = dt.datetime.now(dt.UTC)
    sample.build(
        WAREHOUSE,
        MORE_ROWS,
        until=now - dt.timedelta(minutes=6),
        over=dt.timedelta(minutes=10),
        first=ROWS,
    )


def _deliver_twice(console: Console, receiver: Receiver) -> int:
    new = build_warehouse()
    console.print(
        f"warehouse: {WAREHOUSE.relative_to(ROOT)} with {ROWS:,} conversions"
        + ("" if new else ", built by an earlier run")
    )
    ok = _materialize(
        console, receiver, f"{ROWS:,} conversions wait" if new else "nothing new waits"
    )
    if new:
        add_rows()
        console.print(f"\nanother load: {MORE_ROWS} rows more")
        ok = _materialize(console, receiver, "only the new ones are sent") and ok
    counts = ", ".join(f"{name}: {len(rejected(_destination(name)))} rows" for name in DESTINATIONS)
    console.print(f"\nquarantine: {counts}   (`.venv/bin/capi rejected demo_dsp`)")
    console.print(
        "state is under .capi/; run `make demo` again and nothing is sent, or `make dev` to see it"
        " all in Dagster"
    )
    return 0 if ok else 1


def _materialize(console: Console, receiver: Receiver, title: str) -> bool:
    """Materialize every demo destination through Dagster, and print the metadata of the runs."""
    before = receiver.inbox.summary()
    definitions = defs()
    table = Table(
        "destination",
        "read",
        "delivered",
        "rejected",
        "by reason",
        "requests",
        "seconds",
        Column("mark", no_wrap=True),
        title=title,
        title_justify="left",
    )
    ok, failures = True, []
    for name in DESTINATIONS:
        key = next(each for each in definitions.resolve_all_asset_keys() if each.path[-1] == name)
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=dg.DagsterInstance.get(),
            asset_selection=[key],
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        ok = ok and result.success
        table.add_row(*_row(name, result, key))
        failures += [f"{name}: {why}" for why in _why(result)]
    console.print(table)
    for failure in failures:
        console.print(f"[red]{escape(failure)}[/red]")
    after = receiver.inbox.summary()
    console.print(
        f"the receiver took {after['events'] - before['events']:,} new events,"
        f" {after['duplicates'] - before['duplicates']} twice"
    )
    return ok


def _row(name: str, result: Any, key: dg.AssetKey) -> list[str]:
    events = (
        result.asset_materializations_for_node(f"{key.path[0]}__{name}.settle")
        if result.success
        else []
    )
    if not events:
        nothing = ["0", "0", "0", "", "0", "", ""]  # an observation, but no materialization
        return [name, *(nothing if result.success else ["failed", *[""] * 6])]
    values = {label: each.value for label, each in events[0].metadata.items()}
    reasons = values.get("rejected_by_reason")
    by_reason = (
        ", ".join(
            f"{each.data['reason']} {each.data['rows']}"
            for each in events[0].metadata["rejected_by_reason"].records
        )
        if reasons is not None
        else ""
    )
    return [
        name,
        *(f"{values[count]:,}" for count in ("rows_read", "delivered", "rejected")),
        by_reason,
        f"{values['http_requests']:,}",
        f"{values['seconds']:.1f}",
        str(values.get("mark_to", "")),
    ]


def _why(result: Any) -> list[str]:
    """What the steps that failed said."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return [
        str(each.user_failure_data.description if each.user_failure_data else each.error.message)
        for each in failed
        if each.error or each.user_failure_data
    ]


def _destination(name: str) -> Destination:
    return load(ROOT / "dagster_project" / "defs" / name / "defs.yaml", ROOT)


if __name__ == "__main__":
    sys.exit(main())
