"""Finds a verdict on every record of a batch that needs more than its first attempt.

What fails is sent again; what is refused as a whole is halved until the bad records stand alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from connector.delivery.batch import halves, sample_positions
from connector.delivery.exchange import Attempt, Exchange
from connector.delivery.in_flight import BatchVerdicts
from connector.delivery.outcome import Halt, Outcome, PerRecord, Retry, Unlocated
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.retry import OnRetry, RetryPolicy
from connector.delivery.retry_budget import RetryBudget
from connector.delivery.systemic import MIN_REFUSALS, SystemicGuard
from connector.delivery.transports.base import HttpRequest
from connector.errors import EndpointError
from connector.model import Batch, Page

log = logging.getLogger(__name__)

_SAMPLE = 10
"""Single records that are tried before a batch is halved."""


class RunEnded(Exception):
    """The run ended for another reason; this request was not sent."""


class LeftToNextRun(Exception):
    """A request kept failing, or the platform wants to be left alone for longer than a run."""

    def __init__(self, outcome: Retry) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


class Bisection:
    """Sends batches again, whole or in parts.

    Args:
        exchange: sends single requests.
        build: makes the request of a batch, without credentials.
        rate_limiter: of all requests.
        budget: of retries.
        guard: decides on refusals that no record can be blamed for.
        ended: set when the run ends.
        credentials: the settings that hold them, for whoever has to renew one.
        on_retry: called for each retry that is scheduled.
        build_validation: makes the request that has a batch judged without delivering it, where
            the platform has an address for that.
    """

    def __init__(
        self,
        exchange: Exchange,
        build: Callable[[Page, Batch], HttpRequest],
        rate_limiter: RateLimiter,
        budget: RetryBudget,
        guard: SystemicGuard,
        ended: threading.Event,
        credentials: str = "",
        on_retry: OnRetry | None = None,
        build_validation: Callable[[Page, Batch], HttpRequest] | None = None,
    ) -> None:
        self._exchange, self._build, self._rate_limiter = exchange, build, rate_limiter
        self._budget, self._guard, self._ended = budget, guard, ended
        self._policy = RetryPolicy(budget, ended, on_retry=on_retry)
        self._credentials = credentials
        self._build_validation = build_validation

    def resolve(self, page: Page, batch: Batch, verdicts: BatchVerdicts, first: Attempt) -> None:
        """Record a verdict on every record of a batch.

        Args:
            page: that the batch belongs to.
            batch: as it was sent first.
            verdicts: where they are recorded.
            first: its first attempt.

        Raises:
            EndpointError: no record can be blamed for what came back.
            LeftToNextRun: the platform does not take requests now.
            RunEnded: the run ended meanwhile.
        """
        waiting, probed = [batch], self._guard.accept_all
        validated = self._build_validation is None
        attempt: Attempt | None = first
        while waiting:
            part = waiting.pop()
            unlocated, attempt = self._send(page, part, verdicts, attempt), None
            rest = verdicts.without_verdict(part)
            too_large = unlocated is not None and unlocated.by_bytes
            if not validated and not too_large and len(rest) > 1:
                validated = True
                if self._validate(page, rest, verdicts):
                    unlocated, rest = None, verdicts.without_verdict(rest)
            if (
                unlocated is not None
                and not unlocated.by_bytes
                and not probed
                and len(rest) > MIN_REFUSALS
            ):
                self._probe(page, rest, verdicts)
                rest, probed = verdicts.without_verdict(rest), True
            if unlocated is not None and len(rest) > 1:
                log.info("bisection: a batch of %d records was refused as a whole", len(rest))
                waiting += reversed(halves(rest, by_bytes=unlocated.by_bytes))
            elif len(rest):
                waiting.append(rest)

    def _validate(self, page: Page, batch: Batch, verdicts: BatchVerdicts) -> bool:
        """Refuse all records of a batch that the platform's validation names.

        Returns:
            Whether it named any. Where it did not, or could not be asked, the batch is halved.
        """
        if self._build_validation is None:
            return False
        self._await_turn()
        self._budget.count_request()
        request = self._build_validation(page, batch)
        outcome = self._exchange.validate(request, batch, verdicts)
        if not isinstance(outcome, PerRecord) or not outcome.refused:
            return False
        log.info("bisection: validation refused %d of %d records", len(outcome.refused), len(batch))
        verdicts.record(batch, PerRecord(refused=outcome.refused))
        return True

    def _probe(self, page: Page, batch: Batch, verdicts: BatchVerdicts) -> None:
        """Try single records of a refused batch before it is halved.

        Raises:
            EndpointError: all were refused for the same reason.
        """
        kinds: set[int] = set()
        for position in sample_positions(batch, _SAMPLE):
            self._send(page, batch.part([position]), verdicts)
            refused = verdicts.refusals.get(batch.rows[position])
            if refused is None or kinds - {refused.kind}:
                return
            kinds.add(refused.kind)
            code = refused.code
        raise self._guard.blame_request(code, min(_SAMPLE, len(batch)))

    def _send(
        self, page: Page, batch: Batch, verdicts: BatchVerdicts, first: Attempt | None = None
    ) -> Unlocated | None:
        """Send one batch, with retries, and record the verdicts.

        Args:
            page: that the batch belongs to.
            batch: to send.
            verdicts: where they are recorded.
            first: its first attempt, where there was one.

        Returns:
            The refusal that blames some record out of several, if that is what came back.
        """
        sending = _Sending(page, batch, verdicts, first)
        outcome = self._policy.run(lambda: self._attempt(sending))
        if isinstance(outcome, Halt):
            where = f"; check {self._credentials}" if outcome.auth and self._credentials else ""
            raise EndpointError(outcome.why + where)
        if isinstance(outcome, Retry):
            raise LeftToNextRun(outcome)
        verdicts.record(sending.batch, outcome)
        return outcome if isinstance(outcome, Unlocated) and len(sending.batch) > 1 else None

    def _attempt(self, sending: _Sending) -> Outcome:
        """Make one attempt; where the credentials were refused and can be renewed, another one.

        Records that a response leaves out are sent again alone.
        """
        attempt, sending.first = sending.first, None
        if attempt is None:
            self._await_turn()
            if sending.attempts:
                sending.verdicts.retries += 1
            else:
                self._budget.count_request()
            attempt = self._send_once(sending)
        while self._exchange.renew(attempt):
            self._await_turn()
            attempt = self._send_once(sending)
        sending.attempts += 1
        outcome = attempt.outcome
        if isinstance(outcome, PerRecord) and outcome.unclear:
            sending.verdicts.record(sending.batch, outcome)
            sending.batch = sending.verdicts.without_verdict(sending.batch)
            outcome = Retry(
                "an answer without a verdict on some records", ambiguous=True, not_understood=True
            )
            self._exchange.heed(outcome, sending.batch, sending.verdicts)
        return outcome

    def _send_once(self, sending: _Sending) -> Attempt:
        request = self._build(sending.page, sending.batch)
        return self._exchange.send(request, sending.batch, sending.verdicts)

    def _await_turn(self) -> None:
        """Wait until the rate limiter lets a request through. Raises RunEnded."""
        if not self._ended.is_set():
            self._rate_limiter.acquire(self._sleep)
        if self._ended.is_set():
            raise RunEnded

    def _sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)


class _Sending:
    """A batch that is being sent, which shrinks where a response leaves records out."""

    def __init__(
        self, page: Page, batch: Batch, verdicts: BatchVerdicts, first: Attempt | None
    ) -> None:
        self.page, self.batch, self.verdicts, self.first = page, batch, verdicts, first
        self.attempts = 0
