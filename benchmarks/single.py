"""One event a request, as the base platform wants it: whole runs against a good script."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import data
from benchmarks.contenders import HEAD, capi, good_script, line, race
from benchmarks.measure import Options, short, show
from benchmarks.receiver import receiving

ROWS = 20_000
FAR_ROWS = 400
"""The script needs latency times rows: 20 s for this many, 50 ms away."""


def run(options: Options) -> None:
    """Print a table for each latency."""
    contenders = [
        capi(platform="capi"),
        capi(platform="capi", delivery__transport="requests"),
        good_script("capi"),
    ]
    for latency in options.latencies[:2]:
        rows = min(FAR_ROWS if latency else ROWS, options.rows)
        with tempfile.TemporaryDirectory() as folder, receiving(latency) as receiver:
            warehouse = Path(folder) / "warehouse.duckdb"
            data.duckdb_file(warehouse, rows)
            found = race(contenders, warehouse, rows, receiver, options.turns)
        what = f"{short(rows)} rows to capi, one event a request, {latency * 1000:.0f} ms away"
        show(
            [what, *HEAD],
            [
                line(contender, runs, found[0], rows)
                for contender, runs in zip(contenders, found, strict=True)
            ],
        )
