"""Whole runs: `capi sync` with defaults, a good script, and the machine's limit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import data
from benchmarks.contenders import HEAD, Contender, capi, good_script, line, race, raw_posts
from benchmarks.measure import Options, short, show
from benchmarks.receiver import receiving

SCRIPT_TARGETS = {
    (100_000, 0.0): 0.5,
    (500_000, 0.0): 0.8,
    (100_000, 0.15): 5.0,
    (500_000, 0.15): 8.0,
}
"""(rows, latency) -> how many times faster than the script `capi sync` is to be."""

Target = tuple[Contender, dict[tuple[int, float], float]]


def run(options: Options) -> None:
    """Print a table for each size and latency."""
    against(options, [(good_script(), SCRIPT_TARGETS)])


def against(options: Options, others: Sequence[Target]) -> None:
    """Print `capi sync` against others, and the machine's limit, for each size and latency."""
    contenders = [capi(), *(contender for contender, _ in others)]
    limits = [raw_posts(1), raw_posts(16)]
    targets = [{}, *(targets for _, targets in others), {}, {}]
    for rows in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            warehouse = Path(folder) / "warehouse.duckdb"
            data.duckdb_file(warehouse, rows)
            for latency in options.latencies:
                with receiving(latency) as receiver:
                    runs = race(contenders, warehouse, rows, receiver, options.turns)
                    runs += race(limits, warehouse, rows, receiver, 1)
                lines = [
                    line(contender, found, runs[0], rows, goals.get((rows, latency)))
                    for contender, found, goals in zip(
                        [*contenders, *limits], runs, targets, strict=True
                    )
                ]
                show([f"{short(rows)} rows to Meta, {latency * 1000:.0f} ms away", *HEAD], lines)
