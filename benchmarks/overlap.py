"""Overlap: each stage of the whole path alone, all of them together, and the same run with no page made while another is sent."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks import data, project
from benchmarks.measure import in_turns, short
from benchmarks.receiver import receiving
from connector.engine.checkpoint import NullCheckpointer
from connector.engine.context import RunContext, open_context
from connector.engine.pipeline import deliver_pages
from connector.model import Page, Range

LATENCY = 0.05
_WIDTHS = (8, 8, 8, 9, 11, 15, 9)


def run(rows: int) -> None:
    """Print seconds of each stage, the wall time of a whole run, and that of one that makes no page ahead, at two latencies."""
    with tempfile.TemporaryDirectory() as folder, receiving() as near, receiving(LATENCY) as far:
        url = data.duckdb_file(
            Path(folder) / "w.duckdb", rows, dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
        )
        heads = ("read", "encode", "send", "slowest", "whole run", "nothing ahead", "of that")
        print(
            f"{'DuckDB to meta, ' + short(rows) + ' rows':34}"
            + "".join(f"{head:>{width}}" for head, width in zip(heads, _WIDTHS, strict=True))
        )
        for what, endpoint in (
            ("receiver 0 ms away", near),
            (f"receiver {LATENCY * 1000:.0f} ms away", far),
        ):
            read, made, sent, whole, in_a_row = _seconds(Path(folder), url, endpoint)
            stages = [read, made - read, sent]
            cells = [f"{cell:.2f}" for cell in (*stages, max(stages), whole, in_a_row)] + [
                f"{whole / in_a_row:.0%}"
            ]
            print(
                f"{what:34}"
                + "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)),
                flush=True,
            )


def _seconds(folder: Path, url: str, endpoint: str) -> list[float]:
    """Reading alone; reading and encoding; sending what was encoded before; a first run of it all, state included; and one that makes no page ahead."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        os.environ |= {"BENCH_TOKEN": "token", "CAPI_HOME": str(root / ".capi")}
        destination = project.write(root, "meta", url, endpoint=endpoint)
        with open_context(destination) as session:
            pages = list(_pages(session))
            stages = in_turns(
                [
                    partial(_read, session),
                    lambda: sum(1 for _ in _pages(session)),
                    partial(_send, session, pages),
                ],
                repeats=2,
            )
            del pages
        run = partial(project.first_run, root, "meta", url, endpoint=endpoint)
        return [*stages, *in_turns([run, partial(_with_nothing_ahead, run)], repeats=3)]


def _with_nothing_ahead(run: Callable[[], object]) -> None:
    with mock.patch("connector.engine.pipeline.read_ahead", contextlib.nullcontext):
        run()


def _read(session: RunContext) -> int:
    return sum(
        len(rows) for rows in session.warehouse.read(Range(), session.page_builder().rows_together)
    )


def _pages(session: RunContext) -> Iterator[list[Page]]:
    return session.page_builder().of_range(0, Range())


def _send(session: RunContext, pages: list[list[Page]]) -> None:
    with session.sender() as sender:
        error = deliver_pages(iter(pages), sender, NullCheckpointer())
    assert error is None, error
