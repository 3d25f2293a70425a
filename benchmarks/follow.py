"""Near real time: from a commit in PostgreSQL to the platform's receipt, row by row.

`capi sync --follow 1s`, and beside it what the `poll` sensor of a Dagster daemon takes for the same
rows: its tick, the start of a run in a process of its own, and the delivery.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks import data, project
from benchmarks.measure import Options, show

HISTORY = 10_000
ROWS_A_SECOND = 50
SECONDS = 30
WARM = 300
EVERY = "1s"
PATIENCE = 600.0

BEFORE = dt.timedelta(minutes=1)
"""Before now: where the destination starts, behind all of its history."""

INSERT = """
insert into conversions (conversion_id, updated_at, event_name, event_time, email, phone,
    user_agent, value, currency, order_id, event_source_url, action_source)
values (%(id)s, clock_timestamp(), 'Purchase', now(), %(id)s || '@shop.example.org',
    '+14155552671', 'Mozilla/5.0', 9.5, 'USD', %(id)s, 'https://shop.example.org/', 'website')
"""

DEFINITIONS = """
from pathlib import Path

import dagster as dg
from connector import load
from dagster_project.components import CapiDestination

destination = CapiDestination(load(Path({path!r}), Path({root!r})))
defs = destination.build_defs(dg.ComponentTree.for_test().load_context)
"""

TARGETS = {"p50": 1.5, "p99": 3.0}
"""Seconds, at most, with --follow."""


def run(options: Options) -> None:
    """Print the seconds from commit to receipt."""
    lines = []
    for name, start, targets in (
        (f"capi sync --follow {EVERY}", _follow, TARGETS),
        (f"poll: {EVERY}, Dagster's daemon", _daemon, {}),
    ):
        with _arrivals() as (url, arrived), tempfile.TemporaryDirectory(prefix="capi") as folder:
            Path(folder).chmod(0o755)  # the database's server is another user
            with data.postgresql(Path(folder) / "server", HISTORY) as warehouse:
                root = Path(folder) / "run"
                start_at = dt.datetime.now(dt.UTC) - BEFORE
                changes = {"source__start": start_at.isoformat(), "source__lag": "0s"}
                path = project.write(root, warehouse, url, **changes, poll=EVERY)
                with start(root, path):
                    lines.append([name, *_measured(warehouse, arrived, targets)])
    show(
        [
            f"PostgreSQL, {ROWS_A_SECOND} rows/s, a commit each, lag: 0s",
            "rows",
            "p50 s",
            "p99 s",
            "most s",
            "",
        ],
        lines,
    )


def _measured(warehouse: str, arrived: dict[str, float], targets: dict[str, float]) -> list[str]:
    import psycopg  # late: a measurement without this database does without it

    with psycopg.connect(warehouse, autocommit=True) as connection:
        # Once they have arrived, everything is warm. So many, or the guard against a mass resend
        # would find the rows of a slow start far more than usual.
        for number in range(WARM):
            connection.execute(INSERT, {"id": f"w{number}"})
        _wait(lambda: len(arrived) == WARM)
        committed: dict[str, float] = {}
        began = time.monotonic()
        for number in range(ROWS_A_SECOND * SECONDS):
            time.sleep(max(0.0, began + number / ROWS_A_SECOND - time.monotonic()))
            connection.execute(INSERT, {"id": f"n{number}"})
            committed[f"n{number}"] = time.monotonic()
        _wait(lambda: committed.keys() <= arrived.keys())
    took = sorted(arrived[each] - moment for each, moment in committed.items())
    found = {"p50": statistics.median(took), "p99": took[int(len(took) * 0.99)]}
    verdicts = [
        f"{name} <= {most:g} s {'met' if found[name] <= most else 'MISSED'}"
        for name, most in targets.items()
    ]
    numbers = [f"{value:.2f}" for value in (*found.values(), took[-1])]
    return [f"{len(took):,}", *numbers, ", ".join(verdicts)]


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"rows did not arrive within {PATIENCE:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def _follow(root: Path, path: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "connector.cli", "sync", str(path), "--follow", EVERY]
    with _process(command, root, {}):
        yield


@contextlib.contextmanager
def _daemon(root: Path, path: Path) -> Iterator[None]:
    home = root / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    module = root / "definitions.py"
    module.write_text(DEFINITIONS.format(path=str(path), root=str(root)), encoding="utf-8")
    command = [sys.executable, "-m", "dagster._daemon", "run", "-f", str(module)]
    with _process(command, root, {"DAGSTER_HOME": str(home)}):
        yield


@contextlib.contextmanager
def _process(command: list[str], root: Path, more: dict[str, str]) -> Iterator[None]:
    environment = {**os.environ, **project.environment(root), **more}
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{(root / 'log').read_text()[-4000:]}") from None
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def _arrivals() -> Iterator[tuple[str, dict[str, float]]]:
    """A receiver in this process: its address, and order id -> when its event was there."""
    arrived: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take a batch, and answer as Meta does."""
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            now = time.monotonic()
            for event in body["data"]:
                arrived.setdefault(event["custom_data"]["order_id"], now)
            answer = b'{"events_received":%d}' % len(body["data"])
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", arrived
    finally:
        server.shutdown()
        server.server_close()
