"""When to try again, and when to leave it to the next run. Policies are values; clock and sleep are given."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import tenacity
from tenacity import RetryCallState

from connector.delivery.answers import Outcome, TryAgain

LONGEST_WAIT = 60.0
"""Seconds; where a platform asks for more, the run ends and remembers until when."""

_BASE = 0.5
_CAP = 30.0


@dataclass
class Budget:
    """Retries that a run may spend: a fifth of its requests, and ten. Keeps an ailing platform from being hit harder."""

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


class Gate:
    """Lets requests through: at most `rate` a second, and none while the platform wants a pause."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._interval = 1.0 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until the next request may leave."""
        with self._lock:
            now = self._clock()
            at = max(self._next, now)
            self._next = at + self._interval
        if at > now:
            self._sleep(at - now)

    def pause(self, seconds: float) -> None:
        """Nothing leaves before so many seconds from now."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


@dataclass
class Policy:
    """How one request is repeated.

    attempts: at most, for anything but throttling. patience: seconds of throttling in a row before the run gives up.
    """

    budget: Budget
    gate: Gate
    attempts: int = 5
    attempts_if_not_understood: int = 3
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    random: random.Random = field(default_factory=random.Random)

    def run(self, send: Callable[[], Outcome]) -> Outcome:
        """Send until the outcome is final, or is a `TryAgain` that is left to the next run."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda outcome: isinstance(outcome, TryAgain)),
            stop=self._stop,
            wait=self._wait,
            sleep=self._rest,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        return retrying(send)

    def _stop(self, state: RetryCallState) -> bool:
        outcome = _outcome(state)
        if self.stopped():
            return True
        if outcome.wait is not None and outcome.wait > LONGEST_WAIT:
            return True
        if outcome.throttled:
            return (state.idle_for or 0.0) > self.patience
        allowed = self.attempts_if_not_understood if outcome.not_understood else self.attempts
        return state.attempt_number >= allowed or not self.budget.spend()

    def _wait(self, state: RetryCallState) -> float:
        """Full jitter, or what the platform asked for and a little jitter on top."""
        outcome = _outcome(state)
        jitter = self.random.uniform(0.0, min(_CAP, _BASE * 2 ** (state.attempt_number - 1)))
        if outcome.wait is None:
            return max(jitter, 0.2) if outcome.throttled else jitter
        return outcome.wait + min(jitter, 0.5)

    def _rest(self, seconds: float) -> None:
        self.sleep(seconds)


def _outcome(state: RetryCallState) -> TryAgain:
    outcome = state.outcome.result() if state.outcome is not None else None
    assert isinstance(outcome, TryAgain)
    return outcome
