"""Medians of turns, and tables of them.

Ways to do a thing run in turns, one call of each after the other, so that whatever else the machine
does hits all alike; their ratio is the median of the ratios turn by turn.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

LONG = 100_000


@dataclass(frozen=True)
class Options:
    """What a benchmark is run with.

    turns: how often each thing is measured; the median counts. Runs of more than LONG rows take a
    third of the turns: they even out what the machine does. sizes: conversions of whole runs.
    latencies: seconds until the receiver answers. largest: conversions of growth's largest run.
    """

    turns: int = 3
    sizes: tuple[int, ...] = (100_000, 500_000)
    latencies: tuple[float, ...] = (0.0, 0.05, 0.15)
    largest: int = 5_000_000

    def turns_of(self, rows: int) -> int:
        """Turns of runs of this size."""
        return self.turns if rows <= LONG else max(1, self.turns // 3)

    @property
    def rows(self) -> int:
        """Conversions where one size is enough."""
        return min(self.sizes)


def in_turns(works: Sequence[Callable[[], T]], turns: int) -> list[list[T]]:
    """What each work returned, a list a work: one call of each after the other, `turns` times."""
    rounds = [[_collected(work) for work in works] for _ in range(turns)]
    return [list(found) for found in zip(*rounds, strict=True)]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _collected(work: Callable[[], T]) -> T:
    """Without the garbage of what ran before."""
    gc.collect()
    return work()


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times faster ours is: the median over the turns, where they were in turns."""
    if len(theirs) != len(ours):
        return statistics.median(theirs) / statistics.median(ours)
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def verdict(found: float, target: float | None, *, at_most: bool = False) -> str:
    """`>= 4x met`, or nothing where there is no target."""
    if target is None:
        return ""
    met = found <= target if at_most else found >= target
    return f"{'<=' if at_most else '>='} {target:g}x {'met' if met else 'MISSED'}"


def spread(values: Sequence[float]) -> str:
    """`2.41 (2.38-2.60)`: the median, and from where to where."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def short(number: float) -> str:
    """1234567 -> '1.23M'."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip(), flush=True)
    print(flush=True)
