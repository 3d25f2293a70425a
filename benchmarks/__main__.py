"""`python -m benchmarks [PART ...]`: run all benchmarks, or some."""

from __future__ import annotations

import argparse
import importlib
import os
import time

from benchmarks.measure import LONG, Options

PARTS = ("sync", "cost", "single", "start", "read", "encode", "growth", "idle", "follow")
"""What `make bench` runs: modules of this package, each with `run(options)`, which prints."""

ON_DEMAND = ("peers",)
"""What runs only when it is named: it needs an environment of its own."""


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"some of: {', '.join((*PARTS, *ON_DEMAND))}; without: all but the last",
    )
    defaults = Options()
    parser.add_argument(
        "--turns", type=int, default=defaults.turns, help="times each is measured (%(default)s)"
    )
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        default=defaults.sizes,
        help="conversions of whole runs (%(default)s)",
    )
    parser.add_argument(
        "--latency",
        type=float,
        nargs="+",
        default=defaults.latencies,
        help="seconds until the receiver answers (%(default)s)",
    )
    parser.add_argument(
        "--largest",
        type=int,
        default=defaults.largest,
        help="most rows of growth and idle (%(default)s); 1000000 saves some minutes",
    )
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in (*PARTS, *ON_DEMAND)]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    options = Options(given.turns, tuple(given.rows), tuple(given.latency), given.largest)
    began = time.perf_counter()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; whole processes, medians of "
        f"{options.turns} turns (least-most), a third of them above {LONG:,} rows.\n"
        "One table on DuckDB with 20 columns; e-mail and phone, hashed. `configuration` says what "
        "is not a default.\n",
        flush=True,
    )
    for part in given.parts or PARTS:
        importlib.import_module(f"benchmarks.{part}").run(options)
    print(f"{time.perf_counter() - began:.0f} s in all, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
