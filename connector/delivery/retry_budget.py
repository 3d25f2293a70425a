"""How many retries a run may spend, so that an ailing platform is not hit harder."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class RetryBudget:
    """A share of the run's requests, and a floor.

    One for all that a process sends in a run; slices that run in processes of their own have one
    each.
    """

    share: float = 0.2
    floor: int = 10
    requests: int = 0
    retries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin_run(self) -> None:
        """Begin anew: what an earlier run was allowed is no allowance for this one."""
        with self._lock:
            self.requests = self.retries = 0

    def count_request(self) -> None:
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
