"""Growth: whole runs over more and more rows: speed, peak of memory, and size of the state."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import data, project
from benchmarks.contenders import sync
from benchmarks.measure import Options, short, show
from benchmarks.processes import execute
from benchmarks.receiver import receiving

SIZES = (10_000, 100_000, 1_000_000, 5_000_000)
MEGABYTE = 1024**2


def run(options: Options) -> None:
    """Print a table; each size runs once."""
    sizes = [rows for rows in SIZES if rows < options.largest] + [options.largest]
    lines = [_line(rows) for rows in sizes]
    show(
        [
            "capi sync, defaults, to Meta, 0 ms away, one run each",
            "seconds",
            "rows/s",
            "peak MB",
            "state, bytes a row",
        ],
        lines,
    )


def _line(rows: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        warehouse = Path(folder) / "warehouse.duckdb"
        data.duckdb_file(warehouse, rows)
        root = Path(folder) / "run"
        usage = execute(sync(root, project.write(root, f"duckdb:///{warehouse}", receiver.url)))
        events = receiver.totals().events
        state = sum(path.stat().st_size for path in (root / ".capi").rglob("*") if path.is_file())
    if events != rows:
        raise RuntimeError(f"{events} events came in place of {rows}")
    return [
        f"{short(rows)} rows",
        f"{usage.seconds:.1f}",
        short(rows / usage.seconds),
        f"{usage.peak / MEGABYTE:.0f}",
        f"{state / rows:.0f}",
    ]
