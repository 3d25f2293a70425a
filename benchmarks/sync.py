"""Whole runs: `capi sync` with defaults, a good script, and the machine's limit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

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


class Rival(NamedTuple):
    """Who else delivers. targets: (rows, latency) -> how many times faster `capi sync` is to be."""

    contender: Contender
    targets: Mapping[tuple[int, float], float]


def run(options: Options) -> None:
    """Print a table for each size and latency."""
    against(options, lambda _latency: [Rival(good_script(), SCRIPT_TARGETS)])


def against(options: Options, rivals: Callable[[float], Sequence[Rival]]) -> None:
    """Print `capi sync` against rivals, and the machine's limit, for each size and latency."""
    for rows in options.sizes:
        limits = [Rival(raw_posts(connections, rows), {}) for connections in (1, 16)]
        with tempfile.TemporaryDirectory() as folder:
            warehouse = Path(folder) / "warehouse.duckdb"
            data.duckdb_file(warehouse, rows)
            for latency in options.latencies:
                racing = [Rival(capi(), {}), *rivals(latency)]
                with receiving(latency) as receiver:
                    start = partial(race, warehouse=warehouse, rows=rows, receiver=receiver)
                    runs = start(
                        [rival.contender for rival in racing], turns=options.turns_of(rows)
                    )
                    runs += start([rival.contender for rival in limits], turns=1)
                lines = [
                    line(rival.contender, found, runs[0], rows, rival.targets.get((rows, latency)))
                    for rival, found in zip([*racing, *limits], runs, strict=True)
                ]
                show([f"{short(rows)} rows to Meta, {latency * 1000:.0f} ms away", *HEAD], lines)
