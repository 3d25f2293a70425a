"""Overlap: each stage of the whole path alone, and all of them together. Where they overlap, the slowest sets the pace."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import data, project
from benchmarks.measure import in_turns, short
from benchmarks.receiver import receiving
from connector.carry import carry
from connector.cursor import Range
from connector.page import Page
from connector.session import Session, open_session
from connector.state.progress import Unrecorded
from connector.sync import sync

LATENCY = 0.05


def run(rows: int) -> None:
    """Print seconds of each stage, their sum, and the wall time of a whole run, at two latencies."""
    with tempfile.TemporaryDirectory() as folder, receiving() as near, receiving(LATENCY) as far:
        url = data.duckdb_file(Path(folder) / "w.duckdb", rows, dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1))
        print(f"{'DuckDB to meta, ' + short(rows) + ' rows':34}{'read':>8}{'encode':>8}{'send':>8}{'sum':>8}{'slowest':>9}{'whole run':>11}{'of the sum':>12}")
        for what, endpoint in (("receiver 0 ms away", near), (f"receiver {LATENCY * 1000:.0f} ms away", far)):
            read, made, sent, whole = _seconds(Path(folder), url, endpoint)
            stages = [read, made - read, sent]
            cells = [*stages, sum(stages), max(stages), whole]
            widths = (8, 8, 8, 8, 9, 11)
            print(
                f"{what:34}" + "".join(f"{cell:>{width}.2f}" for cell, width in zip(cells, widths, strict=True)) + f"{whole / sum(stages):>12.0%}", flush=True
            )


def _seconds(folder: Path, url: str, endpoint: str) -> list[float]:
    """Reading alone; reading and encoding; sending what was encoded before; and a first run of it all, state included."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        os.environ |= {"BENCH_TOKEN": "token", "CAPI_HOME": str(root / ".capi")}
        destination = project.write(root, "meta", url, endpoint=endpoint)
        with open_session(destination) as session:
            pages = list(_pages(session))
            stages = in_turns([partial(_read, session), lambda: sum(1 for _ in _pages(session)), partial(_send, session, pages)], repeats=2)
            del pages
        runs = []
        for number in range(2):
            os.environ["CAPI_HOME"] = str(root / f".capi{number}")
            runs += in_turns([lambda: sync(destination)], repeats=1)
        return [*stages, min(runs)]


def _read(session: Session) -> int:
    return sum(len(rows) for rows in session.warehouse.read(Range(), session.pager().rows_together))


def _pages(session: Session) -> Iterator[list[Page]]:
    return session.pager().of_range(0, Range())


def _send(session: Session, pages: list[list[Page]]) -> None:
    with session.courier() as courier:
        error = carry(iter(pages), courier, Unrecorded())
    assert error is None, error
