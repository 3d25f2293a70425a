"""A destination that is followed while a test does other things."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import connector
from connector.config.destination import Destination

PATIENCE = 60.0
"""Seconds after which what should come has not come."""


@dataclass
class Followed:
    """What a follower did, in a thread of the test."""

    stop: threading.Event = field(default_factory=threading.Event)
    reports: list[connector.Report] = field(default_factory=list)
    last: connector.Report | None = None
    error: BaseException | None = None

    def totals(self, name: str) -> int:
        """The sum of a count over all reports."""
        return sum(getattr(report, name) for report in self.reports)


def until(condition: Callable[[], object]) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + PATIENCE
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it has not come"
        tick.wait(0.01)


@contextmanager
def following(destination: Destination, every: float = 0.01) -> Iterator[Followed]:
    """Follow within the block, and stop at its end."""
    followed = Followed()

    def work() -> None:
        try:
            followed.last = connector.follow(
                destination,
                every=dt.timedelta(seconds=every),
                stop=followed.stop,
                on_report=followed.reports.append,
            )
        except BaseException as error:  # noqa: BLE001  the test looks at it
            followed.error = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield followed
    finally:
        followed.stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
