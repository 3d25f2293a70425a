"""Growth: whole runs over more and more rows, each in a process of its own: speed, peak of memory, and size of the state."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path

from benchmarks import data
from benchmarks.measure import short
from benchmarks.one_run import Taken, in_a_process
from benchmarks.receiver import receiving

SIZES = (10_000, 100_000, 1_000_000)
LARGE = (5_000_000,)
"""Run where CAPI_BENCH_LARGE is set: it takes minutes and two gigabytes of disk."""

MEGABYTE = 1024**2


def run(_rows: int) -> None:
    """Print a table: dry runs, and runs that send batches to a receiver that takes everything."""
    sizes = (*SIZES, *(LARGE if os.environ.get("CAPI_BENCH_LARGE") else ()))
    print(
        f"{'whole run, DuckDB to meta':28}{'rows':>10}{'rows/s':>9}{'peak, MB':>10}{'state, bytes a row':>20}"
    )
    for kind in ("dry run", "1,000 events a request"):
        peaks: dict[int, int] = {}
        for rows in sizes:
            taken = _taken(rows, send=kind != "dry run")
            peaks[rows] = taken.peak
            state = "" if kind == "dry run" else f"{taken.state / rows:.0f}"
            print(
                f"{kind:28}{short(rows):>10}{short(rows / taken.seconds):>9}{taken.peak / MEGABYTE:>10.0f}{state:>20}",
                flush=True,
            )
        if LARGE[0] in peaks:
            print(
                f"{kind}: peak at 5M over peak at 1M is {peaks[LARGE[0]] / peaks[1_000_000]:.2f} (target: at most 1.10, and below 400 MB)"
            )


def _taken(rows: int, *, send: bool) -> Taken:
    end = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    with tempfile.TemporaryDirectory() as folder, receiving() as endpoint:
        root = Path(folder)
        url = data.duckdb_file(root / "w.duckdb", rows, end)
        (root / "project").mkdir()
        taken = in_a_process(root / "project", url, endpoint if send else "")
        assert taken.rows == rows, taken
        return taken
