"""How fast requests may follow each other. Clock and sleep are given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_WAKE_TOLERANCE = 0.02
"""Seconds that the system may wake a thread late without costing it its turn."""


class RateLimiter:
    """Spaces requests evenly, and lets none through while the platform wants a pause.

    Args:
        rate: requests a second; None for no limit.
        clock: monotonic seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1.0 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = self._paused_until = 0.0
        self._lock = threading.Lock()

    def acquire(self, sleep: Callable[[float], None] | None = None) -> None:
        """Sleep until the next request may leave; a pause that begins meanwhile holds too.

        Args:
            sleep: in place of the limiter's own.
        """
        at = -1.0
        while True:
            with self._lock:
                now = self._clock()
                if at >= self._paused_until:
                    return
                at = max(self._next, now)
                self._next = at + self._interval
            if at > now:
                (sleep or self._sleep)(at - now)

    def try_acquire(self) -> float:
        """Take the turn that is due now.

        Returns:
            0.0, or else the seconds after which to ask again.
        """
        with self._lock:
            now = self._clock()
            at = max(self._next, self._paused_until)
            if at > now:
                return at - now
            self._next = max(at, now - _WAKE_TOLERANCE) + self._interval
            return 0.0

    def pause(self, seconds: float) -> None:
        """Let nothing through for so many seconds from now."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._next = max(self._next, self._paused_until)
