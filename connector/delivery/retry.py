"""When a request is sent again, and when it is left to the next run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tenacity import RetryCallState, Retrying
from tenacity.nap import sleep_using_event
from tenacity.retry import retry_if_result
from tenacity.stop import stop_after_attempt, stop_all, stop_any, stop_base, stop_when_event_set
from tenacity.wait import wait_base, wait_random, wait_random_exponential

from connector.delivery.outcome import Outcome, Retry
from connector.delivery.retry_after import MAX_WAIT_IN_RUN
from connector.delivery.retry_budget import RetryBudget

log = logging.getLogger(__name__)

OnRetry = Callable[[int, float, bool, str], None]
"""Called for a retry: attempts so far, seconds until the next, throttled, what came back."""

BACKOFF_BASE = 0.5
BACKOFF_MAX = 30.0
"""Seconds: a pause is drawn between 0 and `BACKOFF_BASE * 2 ** n` (full jitter), at most this."""

THROTTLED_MIN = 0.2
"""Seconds: the shortest pause where a platform says that it was asked too often, and no more."""

REQUESTED_JITTER = 0.5
"""Seconds, at most, on top of a wait that the platform asked for."""

PATIENCE = 60.0
"""Seconds that throttling in a row is waited out."""

MAX_ATTEMPTS = 5
MAX_ATTEMPTS_NOT_UNDERSTOOD = 3


class RetryPolicy:
    """Sends a request until its outcome is final, or is a `Retry` that is left to the next run.

    Throttled attempts are repeated in an inner loop, which costs neither attempts nor budget.

    Args:
        budget: of retries.
        ended: set when the run ends; it also wakes whoever waits.
        sleep: waits so many seconds, in place of waiting for `ended`.
        on_retry: called for each retry that is scheduled.
    """

    def __init__(
        self,
        budget: RetryBudget,
        ended: threading.Event,
        sleep: Callable[[float], None] | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        self._on_retry = on_retry
        self._sleep = sleep or sleep_using_event(ended)
        self._over = stop_any(stop_when_event_set(ended), _stop_if_wait_is_too_long())
        self._budget = budget

    def run(self, send: Callable[[], Outcome]) -> Outcome:
        """Call `send` until there is nothing to repeat, and return its last outcome."""
        backoff = wait_random_exponential(multiplier=BACKOFF_BASE, max=BACKOFF_MAX)
        throttled = wait_random_exponential(
            multiplier=BACKOFF_BASE, max=BACKOFF_MAX, min=THROTTLED_MIN
        )
        until_not_throttled = self._retrying(
            lambda outcome: isinstance(outcome, Retry) and outcome.throttled,
            stop_any(self._over, _stop_after_idling(PATIENCE)),
            _wait_as_requested(throttled),
        )
        until_final = self._retrying(
            lambda outcome: isinstance(outcome, Retry) and not outcome.throttled,
            stop_any(
                self._over,
                stop_after_attempt(MAX_ATTEMPTS),
                stop_all(
                    _stop_if_not_understood(), stop_after_attempt(MAX_ATTEMPTS_NOT_UNDERSTOOD)
                ),
                _stop_without_budget(self._budget),  # last, because it takes a retry
            ),
            _wait_as_requested(backoff),
        )
        return until_final(until_not_throttled, send)

    def _retrying(
        self, repeat: Callable[[Outcome], bool], stop: stop_base, wait: wait_base
    ) -> Retrying:
        return Retrying(
            retry=retry_if_result(repeat),
            stop=stop,
            wait=wait,
            sleep=self._sleep,
            before_sleep=self._before_sleep,
            retry_error_callback=_retry_in,
        )

    def _before_sleep(self, state: RetryCallState) -> None:
        """Say that a retry is scheduled."""
        outcome = _retry_in(state)
        seconds = state.next_action.sleep if state.next_action is not None else 0.0
        log.info(
            "%s after attempt %d (%s): the next one in %.1f s",
            "pause" if outcome.throttled else "retry",
            state.attempt_number,
            outcome.why,
            seconds,
        )
        if self._on_retry is not None:
            self._on_retry(state.attempt_number, seconds, outcome.throttled, outcome.why)


def _retry_in(state: RetryCallState) -> Retry:
    """Return the outcome of the attempt that was just made."""
    outcome = state.outcome.result() if state.outcome is not None else None
    assert isinstance(outcome, Retry)
    return outcome


class _stop_if_wait_is_too_long(stop_base):  # noqa: N801  named as tenacity names its own
    """Stop where the platform wants to be left alone for longer than a run waits."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        wait = _retry_in(retry_state).wait
        return wait is not None and wait > MAX_WAIT_IN_RUN


class _stop_if_not_understood(stop_base):  # noqa: N801
    """Stop after a response that was complete and said nothing that the platform would say."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        return _retry_in(retry_state).not_understood


class _stop_after_idling(stop_base):  # noqa: N801
    """Stop once more than so many seconds were waited."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        return retry_state.idle_for > self._seconds


class _stop_without_budget(stop_base):  # noqa: N801
    """Stop where no retry is left; otherwise take one."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, retry_state: RetryCallState) -> bool:
        return not self._budget.spend()


class _wait_as_requested(wait_base):  # noqa: N801
    """Wait as long as the platform asked for plus a little jitter, or else by another strategy."""

    def __init__(self, otherwise: wait_base) -> None:
        self._otherwise, self._jitter = otherwise, wait_random(0, REQUESTED_JITTER)

    def __call__(self, retry_state: RetryCallState) -> float:
        wait = _retry_in(retry_state).wait
        if wait is None:
            return self._otherwise(retry_state)
        return wait + self._jitter(retry_state)
