"""How many batches are in flight: grows while the platform keeps up, falls when it does not.

Additive increase, multiplicative decrease, as TCP and Vector's adaptive request concurrency have
it, with two changes. A limit at which the platform throttled is remembered and seldom tried again,
because each try costs a 429. Slow responses count only where even the fastest of a whole window is
slow, and never take the limit below where it starts: a busy machine is no overloaded platform. What
is slow even there is the platform's usual pace, as Envoy measures it anew at its minimum.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

START = 4
"""Where a destination begins that has learned nothing yet."""

_ANSWERS_A_STEP_AT_FIRST = 2
"""Until something went wrong for the first time; later a step takes a window of answers."""

_FALL, _FALL_IF_SLOW = 0.75, 0.9

_LEAST_WINDOW = 10
"""Answers whose fastest is compared."""

_SLOW_FACTOR, _SLOW_SECONDS = 2.0, 0.05
"""Slow is more than twice what is usual, and 50 ms: less may come from this machine."""

_PROBE_ANSWERS, _PROBE_SECONDS = 1000, 60.0
"""Answers and time without throttling after which more than the ceiling is tried."""

_CEILING_SECONDS = 3600.0
"""A ceiling found so long ago is not taken over by another run."""


class Learned(NamedTuple):
    """What one run leaves to the next.

    Attributes:
        limit: Batches in flight.
        ceiling: The most that was not throttled; None where nothing was throttled.
        throttled_at: Unix seconds of the last throttling; None where there was none.
    """

    limit: int
    ceiling: int | None = None
    throttled_at: float | None = None


class Ticket(NamedTuple):
    """A request that left.

    Attributes:
        cuts: How often the limit had fallen by then.
        others: Requests in flight beside it.
        at: When it left, by the clock of the limit.
    """

    cuts: int
    others: int
    at: float


class ConcurrencyLimit:
    """Slots for batches in flight, as many as the platform takes. Safe to use from many threads.

    Args:
        maximum: slots at most.
        learned: what the run before left.
        clock: monotonic seconds.
        now: unix seconds.

    limit: slots now. active: slots that are taken; for a while more than `limit` after a fall.
    """

    def __init__(
        self,
        maximum: int,
        learned: Learned | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.maximum, self._clock, self._now = maximum, clock, now
        start, ceiling, throttled_at = learned or Learned(START)
        if throttled_at is not None and now() - throttled_at > _CEILING_SECONDS:
            ceiling = None
        self.limit = max(1, min(start, maximum))
        self.active = self._in_flight = 0
        self._floor = min(START, maximum)
        self._ceiling, self._throttled_at = ceiling, throttled_at
        self._fast = throttled_at is None
        self._cuts = self._answers = self._since_throttled = 0
        self._window, self._fastest, self._usual = 0, math.inf, math.inf
        self._probe_at = clock() + _PROBE_SECONDS
        self._wanted = self._slow = False
        self._lock = threading.Lock()

    @classmethod
    def fixed(cls, slots: int) -> ConcurrencyLimit:
        """A limit that starts at its maximum."""
        return cls(slots, Learned(slots))

    @property
    def learned(self) -> Learned:
        """What to leave to the next run."""
        return Learned(self.limit, self._ceiling, self._throttled_at)

    def try_take(self) -> bool:
        """Take a slot, where one is free; otherwise note that more would be of use."""
        with self._lock:
            if self.active >= self.limit:
                self._wanted = True
                return False
            self.active += 1
            return True

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            self.active -= 1

    def sent(self) -> Ticket:
        """Count a request that leaves; its outcome is reported with the ticket."""
        with self._lock:
            self._in_flight += 1
            return Ticket(self._cuts, self._in_flight - 1, self._clock())

    def answered(self, ticket: Ticket) -> None:
        """Note a response that shows no sign of overload."""
        with self._lock:
            self._in_flight -= 1
            seconds = self._clock() - ticket.at
            self._since_throttled += 1
            self._window += 1
            self._fastest = min(self._fastest, seconds)
            if self._window >= max(self.limit, _LEAST_WINDOW):
                self._review_window()
            self._answers += 1
            step = _ANSWERS_A_STEP_AT_FIRST if self._fast else self.limit
            if self._answers >= step:
                self._answers = 0
                self._grow()

    def throttled(self, ticket: Ticket) -> None:
        """Note that the platform was asked too often."""
        with self._lock:
            self._in_flight -= 1
            self._throttled_at = self._now()
            self._since_throttled, self._probe_at = 0, self._clock() + _PROBE_SECONDS
            if self._is_news(ticket):
                self._ceiling = max(1, self.limit - 1)
                self._cut(_FALL, 1)

    def failed(self, ticket: Ticket) -> None:
        """Note that the platform failed, or did not answer."""
        with self._lock:
            self._in_flight -= 1
            if self._is_news(ticket):
                self._cut(_FALL, 1)

    def _is_news(self, ticket: Ticket) -> bool:
        """Whether a failure speaks of the limit as it is, not of a higher one before."""
        return ticket.cuts == self._cuts and ticket.others < self.limit

    def _cut(self, factor: float, least: int) -> None:
        self.limit = max(least, int(self.limit * factor))
        self._cuts += 1
        self._answers = 0
        self._fast = self._wanted = False

    def _grow(self) -> None:
        if self._since_throttled >= _PROBE_ANSWERS and self._clock() >= self._probe_at:
            self._ceiling = None
        top = self.maximum if self._ceiling is None else min(self.maximum, self._ceiling)
        if self._wanted and not self._slow and self.limit < top:
            self.limit += 1
        self._wanted = False

    def _review_window(self) -> None:
        """Fall where responses became slow, which more in flight would only make worse."""
        if self._fastest <= self._usual or self.limit <= self._floor:
            self._usual = self._fastest
        self._slow = self._fastest > self._usual * _SLOW_FACTOR + _SLOW_SECONDS
        if self._slow:
            self._cut(_FALL_IF_SLOW, self._floor)
        self._window, self._fastest = 0, math.inf
