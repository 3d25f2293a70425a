"""`python -m benchmarks [NAME ...] [--rows N]`: run all benchmarks, or some."""

from __future__ import annotations

import argparse
import importlib
import os
import time

BENCHMARKS = ("read", "identify", "encode", "send", "overlap", "growth", "start")
"""Modules of this package, in the order of a row's way; each has `run(rows)`, which prints."""

ROWS = 200_000


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of: {', '.join(BENCHMARKS)}; all without"
    )
    parser.add_argument(
        "--rows",
        type=int,
        default=ROWS,
        help=f"conversions of the usual benchmark (default {ROWS:,})",
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(
            f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}"
        )
    began = time.perf_counter()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rows:,} conversions\n",
        flush=True,
    )
    for name in given.names or BENCHMARKS:
        importlib.import_module(f"benchmarks.{name}").run(given.rows)
        print(flush=True)
    print(f"{time.perf_counter() - began:.0f} s in all, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
