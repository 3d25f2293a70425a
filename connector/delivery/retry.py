"""When to try again, and when to leave it to the next run. Policies are values; clock and sleep are given."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import tenacity
from tenacity import RetryCallState

from connector.delivery.rate_limit import RateLimiter, RetryBudget
from connector.delivery.response import Outcome, TryAgain

LONGEST_WAIT = 60.0
"""Seconds; where a platform asks for more, the run ends and remembers until when."""

_BASE = 0.5
_CAP = 30.0


@dataclass
class RetryPolicy:
    """How one request is repeated.

    attempts: at most, not counting those that were throttled. patience: seconds of throttling in a row before the run gives up.
    """

    budget: RetryBudget
    gate: RateLimiter
    attempts: int = 5
    attempts_if_not_understood: int = 3
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    random: random.Random = field(default_factory=random.Random)

    def run(self, send: Callable[[], Outcome]) -> Outcome:
        """Send until the outcome is final, or is a `TryAgain` that is left to the next run."""
        tried = _Tried()

        def attempt() -> Outcome:
            outcome = send()
            if isinstance(outcome, TryAgain):
                tried.note(outcome)
            return outcome

        def rest(seconds: float) -> None:
            tried.throttled_for += seconds if tried.throttled else 0.0
            self.sleep(seconds)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda outcome: isinstance(outcome, TryAgain)),
            stop=lambda state: self._stop(_outcome(state), tried),
            wait=lambda state: self._wait(_outcome(state), tried),
            sleep=rest,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        return retrying(attempt)

    def _stop(self, outcome: TryAgain, tried: _Tried) -> bool:
        if self.stopped() or (outcome.wait is not None and outcome.wait > LONGEST_WAIT):
            return True
        if outcome.throttled:
            return tried.throttled_for > self.patience
        allowed = self.attempts_if_not_understood if outcome.not_understood else self.attempts
        return tried.failures >= allowed or not self.budget.spend()

    def _wait(self, outcome: TryAgain, tried: _Tried) -> float:
        """Full jitter, or what the platform asked for and a little jitter on top."""
        in_a_row = tried.throttled if outcome.throttled else tried.failures
        jitter = self.random.uniform(0.0, min(_CAP, _BASE * 2 ** (in_a_row - 1)))
        if outcome.wait is None:
            return max(jitter, 0.2) if outcome.throttled else jitter
        return outcome.wait + min(jitter, 0.5)


@dataclass
class _Tried:
    """What one request has met so far. throttled: times in a row, and throttled_for: seconds that it was waited for."""

    failures: int = 0
    throttled: int = 0
    throttled_for: float = 0.0

    def note(self, outcome: TryAgain) -> None:
        if outcome.throttled:
            self.throttled += 1
        else:
            self.failures += 1
            self.throttled, self.throttled_for = 0, 0.0


def _outcome(state: RetryCallState) -> TryAgain:
    outcome = state.outcome.result() if state.outcome is not None else None
    assert isinstance(outcome, TryAgain)
    return outcome
