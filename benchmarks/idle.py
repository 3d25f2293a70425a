"""Idle runs: what a run of nothing new costs, however much history lies behind the watermark."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy as sa

from benchmarks import data, project
from benchmarks.contenders import sync
from benchmarks.measure import Options, in_turns, ratio, short, show, spread, verdict
from benchmarks.processes import execute
from benchmarks.receiver import receiving
from connector import load
from connector.commands.sync import sync as sync_here
from connector.source.warehouse import Warehouse

SIZES = (10_000, 1_000_000)
FLAT = 1.1
"""Times the idle run over the least history, the most that another may take."""

LOOKBACK = "10m"
"""In place of 24 h, in which there are 864,000 rows here, and in the least history only 10,000:
each run reads the keys of those rows, so that the sizes would differ in more than history."""

NEW = dt.timedelta(seconds=100)
"""Before the last row: where the destination starts, so that little is sent."""


def run(options: Options) -> None:
    """Print seconds, statements and rows read of an idle run, on DuckDB and PostgreSQL."""
    sizes = [*(rows for rows in SIZES if rows < options.largest), options.largest]
    for name, opened in (("DuckDB", _duckdb), ("PostgreSQL", _postgresql)):
        lines: list[list[str]] = []
        least: list[float] = []
        for rows in sizes:
            with tempfile.TemporaryDirectory(prefix="capi") as folder, receiving() as receiver:
                Path(folder).chmod(0o755)
                with opened(Path(folder), rows) as (url, rows_read):
                    line, found = _line(
                        Path(folder), url, rows_read, receiver.url, options.turns, least
                    )
            least = least or found
            lines.append([f"{short(rows)} rows of history", *line])
        show(
            [
                f"capi sync, nothing new, {name}, lookback: {LOOKBACK}",
                "seconds",
                "of the first line",
                "",
                "statements",
                "rows read",
            ],
            lines,
        )


def _line(
    folder: Path,
    url: str,
    rows_read: Callable[[], int],
    endpoint: str,
    turns: int,
    least: list[float],
) -> tuple[list[str], list[float]]:
    root = folder / "run"
    start = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1) - NEW
    changes = {"source__start": start.isoformat(), "source__lookback": LOOKBACK}
    path = project.write(root, url, endpoint, **changes)
    idle = sync(root, path)
    execute(idle)
    (usages,) = in_turns([partial(execute, idle)], turns)
    found = [usage.seconds for usage in usages]
    before = rows_read()
    with mock.patch.dict(os.environ, project.environment(root)), _counted() as counts:
        report = sync_here(load(path, root))
    if report.rows_read or not report.complete:
        raise RuntimeError(f"{report.rows_read} rows were read by a run of nothing new")
    read = rows_read() - before or counts["rows"]
    slower = ratio(found, least or found)
    return [
        spread(found),
        f"{slower:.2f}x",
        verdict(slower, FLAT if least else None, at_most=True),
        str(counts["statements"]),
        f"{read:,}",
    ], found


@contextlib.contextmanager
def _duckdb(folder: Path, rows: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """DuckDB tells after each statement how many rows it scanned; `_counted` sums them.

    It scans whole row groups of 122,880 rows, so three statements read three of them at most.
    """
    yield data.duckdb_file(folder / "warehouse.duckdb", rows), lambda: 0


@contextlib.contextmanager
def _postgresql(folder: Path, rows: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """PostgreSQL counts rows that scans of the table and entries that scans of the index gave."""
    statement = sa.text(
        "select (select seq_tup_read from pg_stat_user_tables where relname = 'conversions')"
        " + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'conversions')"
    )
    with data.postgresql(folder / "server", rows) as url:
        engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))

        def rows_read() -> int:
            """Sessions hand in their counts when they end, which takes a moment."""
            last = -1
            while True:
                with engine.connect() as connection:
                    found = int(connection.execute(statement).scalar() or 0)
                if found == last:
                    return found
                last = found
                time.sleep(2)

        yield url, rows_read
        engine.dispose()


@contextlib.contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """Statements to the warehouse without settings, and rows that DuckDB scanned for them."""
    counts = {"statements": 0, "rows": 0}
    running: list[Any] = []

    def begun(connection: Any, *_: Any) -> None:
        if connection.dialect.name == "duckdb":
            raw = connection.connection.driver_connection
            raw.execute("set enable_profiling = 'no_output'")

    def ended(*_: Any) -> None:
        while running:
            profile = json.loads(running.pop().get_profiling_information(format="json"))
            counts["rows"] += profile.get("query", {}).get("total_rows_scanned", 0)

    def executed(connection: Any, statement: str) -> None:
        if connection.dialect.name == "sqlite" or statement.startswith("SET "):
            return
        counts["statements"] += 1
        if connection.dialect.name == "duckdb":
            running.append(connection.connection.driver_connection)

    def before(*_: Any) -> None:
        ended()

    def after(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed(connection, statement)

    fetch = Warehouse.fetch

    def fetched(self: Warehouse, connection: Any, *arguments: Any) -> Any:
        ended()
        table = fetch(self, connection, *arguments)
        executed(connection, "rows")
        ended()
        return table

    listeners = (
        ("engine_connect", begun),
        ("before_cursor_execute", before),
        ("after_cursor_execute", after),
        ("rollback", before),
    )
    for name, listener in listeners:
        sa.event.listen(sa.Engine, name, listener)
    try:
        with mock.patch.object(Warehouse, "fetch", fetched):
            yield counts
    finally:
        for name, listener in listeners:
            sa.event.remove(sa.Engine, name, listener)
