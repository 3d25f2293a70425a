"""How many retries a run may spend, and how fast requests may follow each other. Clock and sleep are given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LATE = 0.02


@dataclass
class RetryBudget:
    """Retries that a run may spend: a fifth of its requests, and ten. Keeps an ailing platform from being hit harder.

    One for all that a process sends in a run; slices that run in processes of their own have one each.
    """

    share: float = 0.2
    floor: int = 10
    requests: int = 0
    retries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sent(self) -> None:
        """Count a first attempt."""
        with self._lock:
            self.requests += 1

    def spend(self) -> bool:
        """Take one retry; False where none is left."""
        with self._lock:
            if self.retries >= self.floor + self.share * self.requests:
                return False
            self.retries += 1
            return True


class RateLimiter:
    """Lets requests through: at most `rate` a second, and none while the platform wants a pause."""

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1.0 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = self._opens = 0.0
        self._lock = threading.Lock()

    def wait(self, sleep: Callable[[float], None] | None = None) -> None:
        """Sleep until the next request may leave; a pause that begins meanwhile holds too. sleep: in place of the gate's own."""
        at = -1.0
        while True:
            with self._lock:
                now = self._clock()
                if at >= self._opens:
                    return
                at = max(self._next, now)
                self._next = at + self._interval
            if at > now:
                (sleep or self._sleep)(at - now)

    def take(self) -> float:
        """Take the turn that is due now, and return 0.0; otherwise the seconds after which to ask again.

        Who comes a little late, because the system woke it late, does not lose its turns.
        """
        with self._lock:
            now = self._clock()
            at = max(self._next, self._opens)
            if at > now:
                return at - now
            self._next = max(at, now - _LATE) + self._interval
            return 0.0

    def pause(self, seconds: float) -> None:
        """Nothing leaves before so many seconds from now."""
        with self._lock:
            self._opens = max(self._opens, self._clock() + seconds)
            self._next = max(self._next, self._opens)
