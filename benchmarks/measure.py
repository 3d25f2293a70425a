"""Timing of two ways to do the same thing, in turns, so that whatever else the machine does hits both alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Line:
    """One line of a result. ours, baseline, limit: per second, in `unit`. than: what the baseline is. target: least ratio."""

    what: str
    ours: float
    baseline: float | None = None
    than: str = ""
    target: float | None = None
    limit: float | None = None
    limit_is: str = ""

    def cells(self) -> list[str]:
        """The line as texts."""
        ratio = None if self.baseline is None else self.ours / self.baseline
        told = "" if ratio is None else f"{ratio:.1f}x"
        goal = (
            ""
            if self.target is None or ratio is None
            else f">= {self.target:g}x {'met' if ratio >= self.target else 'MISSED'}"
        )
        limit = "" if self.limit is None else f"{short(self.limit)} {self.limit_is}"
        return [
            self.what,
            short(self.ours),
            "" if self.baseline is None else short(self.baseline),
            self.than,
            told,
            goal,
            limit,
        ]


def seconds(work: Work) -> float:
    """Wall time of one call, without the garbage of what ran before."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(works: Sequence[Work], repeats: int = 3) -> list[float]:
    """The best wall time of each, one call of each after the other, `repeats` times round."""
    rounds = [[seconds(work) for work in works] for _ in range(repeats)]
    return [min(times) for times in zip(*rounds, strict=True)]


def show(title: str, unit: str, lines: Sequence[Line]) -> None:
    """Print a small table. unit: what the numbers count, such as 'rows/s'."""
    head = [
        title,
        f"ours, {unit}",
        "baseline",
        "which is",
        "ratio",
        "target",
        "the machine's limit",
    ]
    table = [head, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(),
            flush=True,
        )


def short(number: float) -> str:
    """1234567 -> '1.23M'."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"
