"""One request and its response: signed, sent, interpreted, with credentials that are renewed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from connector.delivery.auth.base import AuthScheme
from connector.delivery.auth.renewal import RenewedAuth
from connector.delivery.concurrency import ConcurrencyLimit, Ticket
from connector.delivery.in_flight import BatchVerdicts
from connector.delivery.outcome import Delivered, Halt, Outcome, Retry
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.response import interpret
from connector.delivery.retry_after import MAX_WAIT_IN_RUN
from connector.delivery.transports.base import (
    HttpRequest,
    HttpResponse,
    Result,
    Transport,
    TransportFailure,
)
from connector.model import Batch
from connector.platforms.answers import Answers

_PAUSE_IF_THROTTLED = 1.0
"""Seconds that everybody pauses where a platform was asked too often and names no time."""


_SERVER_ERROR = 500


class Sent(NamedTuple):
    """A request that left.

    Attributes:
        renewals: How often the credentials had been renewed when it was signed.
        number: Of the request, from 1.
    """

    renewals: int
    ticket: Ticket
    number: int


class Attempt(NamedTuple):
    """What came of one request.

    Attributes:
        renewals: How often the credentials had been renewed when it was signed.
    """

    outcome: Outcome
    renewals: int


class Exchange:
    """Sends single requests and says what their responses mean.

    Args:
        transport: Carries the requests.
        auth: Signs each attempt.
        answers: How the platform's responses are understood.
        rate_limiter: Paused for all requests when the platform was asked too often.
        concurrency: Learns from each response how many requests the platform bears at once.
        clock: Unix seconds.

    Attributes:
        heard: Whether there was a response to any request.
    """

    def __init__(
        self,
        transport: Transport,
        auth: AuthScheme,
        answers: Answers,
        rate_limiter: RateLimiter,
        concurrency: ConcurrencyLimit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport, self._auth, self._answers = transport, RenewedAuth(auth), answers
        self._rate_limiter, self._concurrency, self._clock = rate_limiter, concurrency, clock
        self.heard = False
        self._numbers = itertools.count(1)
        self._last: tuple[tuple[int, bytes, str | None, int] | None, Outcome] = None, Delivered()

    def submit(
        self,
        request: HttpRequest,
        on_response: Callable[[Sent, Result], None],
    ) -> None:
        """Sign a request and start sending it; returns at once.

        Args:
            request: Without credentials.
            on_response: Called in a thread of the transport with what was sent and its result.
        """
        signed, sent = self._sign(request)
        self._transport.submit(signed, partial(on_response, sent))

    def send(self, request: HttpRequest, batch: Batch, verdicts: BatchVerdicts) -> Attempt:
        """Sign and send a request, wait for its response, and read it as `read_response` does.

        Args:
            request: Without credentials.
            batch: The records of the request.
            verdicts: Of the batch; its counts of requests and statuses grow.
        """
        signed, sent = self._sign(request)
        return self.read_response(self._transport.send(signed), sent, batch, verdicts)

    def read_response(
        self,
        response: HttpResponse | TransportFailure,
        sent: Sent,
        batch: Batch,
        verdicts: BatchVerdicts,
    ) -> Attempt:
        """Interpret a response for the records of a batch.

        Args:
            response: What came back, or why nothing did.
            sent: What was sent.
            batch: The records of the request.
            verdicts: Of the batch; its counts of requests and statuses grow.

        Returns:
            What is to be done next, and with which credentials the request was signed.
        """
        outcome = self._outcome(response, sent, batch, verdicts)
        if isinstance(outcome, Retry):
            self.heed(outcome, batch, verdicts)
        elif not isinstance(outcome, Halt):
            self._auth.accepted(sent.renewals)
        return Attempt(outcome, sent.renewals)

    def validate(self, request: HttpRequest, batch: Batch, verdicts: BatchVerdicts) -> Outcome:
        """Have a batch judged at an address that takes nothing.

        Returns:
            What was said of its records; that none was refused does not mean that any was taken.
        """
        signed, sent = self._sign(request)
        outcome = self._outcome(self._transport.send(signed), sent, batch, verdicts)
        if isinstance(outcome, Retry):
            self.heed(outcome._replace(ambiguous=False), batch, verdicts)
        return outcome

    def _sign(self, request: HttpRequest) -> tuple[HttpRequest, Sent]:
        """The request with credentials, counted as one that leaves."""
        signed, renewals = self._auth.sign(request)
        return signed, Sent(renewals, self._concurrency.sent(), next(self._numbers))

    def _outcome(
        self,
        response: HttpResponse | TransportFailure,
        sent: Sent,
        batch: Batch,
        verdicts: BatchVerdicts,
    ) -> Outcome:
        """Count a response and interpret it."""
        verdicts.requests += 1
        if isinstance(response, HttpResponse):
            verdicts.statuses[str(response.status)] += 1
            verdicts.answer = response.status, sent.number
            self.heard = True
        else:
            verdicts.statuses[response.detail] += 1
        outcome = self._interpret(response, batch)
        self._adapt(sent.ticket, response, outcome)
        return outcome

    def heed(self, outcome: Retry, batch: Batch, verdicts: BatchVerdicts) -> None:
        """Prepare for another attempt.

        Rows that the platform may have taken are counted as ambiguous. If it was asked too often,
        all requests of the destination pause.

        Args:
            outcome: Why there will be another attempt.
            batch: The records of the request.
            verdicts: Of the batch; its counts of ambiguous rows grow.
        """
        if outcome.ambiguous:
            verdicts.ambiguous += 1
            verdicts.ambiguous_rows.update(batch.rows)
        if outcome.throttled:
            wait = _PAUSE_IF_THROTTLED if outcome.wait is None else outcome.wait
            self._rate_limiter.pause(min(wait, MAX_WAIT_IN_RUN))

    def renew(self, attempt: Attempt) -> bool:
        """Renew the credentials that an attempt was refused for.

        Returns:
            Whether another attempt makes sense.
        """
        outcome = attempt.outcome
        return isinstance(outcome, Halt) and outcome.auth and self._auth.renew(attempt.renewals)

    def _adapt(
        self, ticket: Ticket, response: HttpResponse | TransportFailure, outcome: Outcome
    ) -> None:
        """Tell the concurrency limit how the platform bore a request."""
        if isinstance(outcome, Retry) and outcome.throttled:
            self._concurrency.throttled(ticket)
        elif isinstance(response, TransportFailure) or response.status >= _SERVER_ERROR:
            self._concurrency.failed(ticket)
        else:
            self._concurrency.answered(ticket)

    def _interpret(self, response: HttpResponse | TransportFailure, batch: Batch) -> Outcome:
        """Interpret a response; one that equals the last, as of most single events, is known."""
        if isinstance(response, TransportFailure):
            return interpret(response, batch.records, self._answers, self._clock())
        content_type = response.headers.get("content-type")
        same = (response.status, response.body, content_type, len(batch))
        last, outcome = self._last
        if same == last:
            return outcome
        outcome = interpret(response, batch.records, self._answers, self._clock())
        if isinstance(outcome, Delivered) and not self._answers.located.echo:
            self._last = same, outcome
        return outcome
