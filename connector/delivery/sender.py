"""Delivers pages: several requests in flight, and an early stop when nothing can be delivered.

The first attempt of every batch is left to the transport, which tells when the response is there;
most batches need no more. Only what has to be sent again or cut up goes on in a thread of ours,
where waiting and sending can be written one after the other.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from connector.delivery.auth.base import AuthScheme
from connector.delivery.bisection import Bisection, LeftToNextRun, RunEnded
from connector.delivery.concurrency import ConcurrencyLimit
from connector.delivery.exchange import Attempt, Exchange, Sent
from connector.delivery.in_flight import BatchVerdicts, PageInFlight
from connector.delivery.outcome import Delivered, Retry
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.redact import Redactor
from connector.delivery.retry import OnRetry
from connector.delivery.retry_after import MAX_WAIT_IN_RUN
from connector.delivery.retry_budget import RetryBudget
from connector.delivery.systemic import SystemicGuard
from connector.delivery.transports.base import HttpRequest, Result, Transport
from connector.errors import ConnectorError, EndpointError, InternalError, Postponed
from connector.model import Batch, Page, PageResult
from connector.platforms.answers import Answers
from connector.platforms.columns import EXTRA


class Sender:
    """Sends the batches of pages.

    Args:
        transport: carries requests.
        auth: signs each attempt.
        answers: how the platform's responses are understood.
        build: makes the request of a batch, without credentials.
        concurrency: slots of batches in flight, which follow what the platform bears.
        rate_limiter: of all requests.
        budget: of retries.
        accept_all: a person said that refusals of nearly everything are to be recorded.
        redactor: decides what is kept of the platform's words; without one none are.
        credentials: the settings that hold them, for whoever has to renew one.
        on_retry: called for each retry that is scheduled.
        clock: unix seconds.

    error: why the run has to end early. not_before: unix seconds before which the platform wants
    no request. ready: batches that should wait to begin. on_progress: called, in any thread, when a
    page is finished and when fewer than these wait.
    """

    ready = 2
    """So that no connection ever waits for the next batch."""

    def __init__(
        self,
        transport: Transport,
        auth: AuthScheme,
        answers: Answers,
        build: Callable[[Page, Batch], HttpRequest],
        *,
        build_validation: Callable[[Page, Batch], HttpRequest] | None = None,
        concurrency: ConcurrencyLimit,
        rate_limiter: RateLimiter,
        budget: RetryBudget | None = None,
        accept_all: bool = False,
        redactor: Redactor | None = None,
        credentials: str = "",
        on_retry: OnRetry | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._exchange = Exchange(transport, auth, answers, rate_limiter, concurrency, clock)
        self._build, self._rate_limiter, self._clock = build, rate_limiter, clock
        self._new_verdicts = partial(BatchVerdicts, redactor or Redactor(codes=answers.codes))
        self._budget = budget or RetryBudget()
        self._guard = SystemicGuard(accept_all=accept_all)
        self._ended = threading.Event()
        self._bisection = Bisection(
            self._exchange,
            build,
            rate_limiter,
            self._budget,
            self._guard,
            self._ended,
            credentials,
            on_retry,
            build_validation,
        )
        self._pending: deque[tuple[PageInFlight, Batch]] = deque()
        self._slots = concurrency
        self._changed = threading.Condition()
        self._rate_limited = threading.Event()
        self._pacer: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(concurrency.maximum, thread_name_prefix="capi-send")
        self.error: ConnectorError | None = None
        self.not_before: float | None = None
        self.on_progress: Callable[[], None] = lambda: None

    @property
    def concurrency(self) -> int:
        """Batches that may be in flight now."""
        return self._slots.limit

    @property
    def is_short(self) -> bool:
        """Whether fewer batches wait to begin than should."""
        return len(self._pending) < self.ready

    def submit(self, page: Page) -> PageInFlight:
        """Begin to send a page's batches; returns at once."""
        in_flight = PageInFlight(PageResult.of(page), len(page.batches))
        with self._changed:
            self._pending.extend((in_flight, batch) for batch in page.batches)
        self._start_pending()
        return in_flight

    def finish(self, in_flight: PageInFlight) -> PageResult:
        """Wait for a page.

        Rows stay open where the run has to end early; `error` then says why.
        """
        in_flight.wait()
        in_flight.settle()
        error = self._guard.review(in_flight.result)
        if error is not None:
            self._fail(error)
        return in_flight.result

    def end(self) -> None:
        """Send nothing more; requests in flight are waited for."""
        self._ended.set()
        self._rate_limited.set()
        self._start_pending()
        self.on_progress()

    def close(self) -> None:
        """Stop all threads, once the requests in flight are finished."""
        self.end()
        with self._changed:
            self._changed.wait_for(lambda: not self._slots.active)
        if self._pacer is not None:
            self._pacer.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start_pending(self) -> float:
        """Send first attempts while there are free slots.

        Returns:
            Seconds to wait, where the rate limiter is what holds them up.
        """
        while True:
            with self._changed:
                if self._ended.is_set():
                    while self._pending:
                        in_flight, batch = self._pending.popleft()
                        in_flight.finish_batch(batch, self._new_verdicts())
                if not self._pending or not self._slots.try_take():
                    return 0.0
                wait = self._rate_limiter.try_acquire()
                if wait:
                    self._slots.release()
                    self._wake_pacer()
                    return wait
                in_flight, batch = self._pending.popleft()
            if self.is_short:
                self.on_progress()
            self._send_first(in_flight, batch)

    def _wake_pacer(self) -> None:
        """Make sure that a thread comes back when the rate limiter opens."""
        if self._pacer is None:
            self._pacer = threading.Thread(target=self._pace, name="capi-pace", daemon=True)
            self._pacer.start()
        self._rate_limited.set()

    def _pace(self) -> None:
        while not self._ended.is_set():
            self._rate_limited.wait()
            self._rate_limited.clear()
            while wait := self._start_pending():
                self._ended.wait(wait)

    def _send_first(self, in_flight: PageInFlight, batch: Batch) -> None:
        """Make the first attempt of a batch."""
        group = in_flight.result.page.groups[batch.group]
        beside = [value for name, value in group.items() if value and name.startswith(EXTRA)]
        verdicts = self._new_verdicts(beside=beside)
        try:
            request = self._build(in_flight.result.page, batch)
            self._budget.count_request()
            self._exchange.submit(request, partial(self._on_response, in_flight, batch, verdicts))
        except BaseException as error:  # whatever it is, its text may quote a record
            self._abort(error, batch, verdicts)
            self._release_slot(in_flight, batch, verdicts)
            if not isinstance(error, Exception):
                raise

    def _on_response(
        self,
        in_flight: PageInFlight,
        batch: Batch,
        verdicts: BatchVerdicts,
        sent: Sent,
        result: Result,
    ) -> None:
        """Take the result of a first attempt, in the transport's thread."""
        try:
            if isinstance(result, InternalError):
                raise result
            first = self._exchange.read_response(result, sent, batch, verdicts)
            if not isinstance(first.outcome, Delivered):
                self._pool.submit(self._resolve, in_flight, batch, verdicts, first)
                return
            verdicts.record(batch, first.outcome)
        except BaseException as error:  # noqa: BLE001  as above
            self._abort(error, batch, verdicts)
        self._release_slot(in_flight, batch, verdicts)

    def _resolve(
        self, in_flight: PageInFlight, batch: Batch, verdicts: BatchVerdicts, first: Attempt
    ) -> None:
        """Go on with a batch that needs more than its first attempt, in a thread of ours."""
        try:
            self._bisection.resolve(in_flight.result.page, batch, verdicts, first)
        except BaseException as error:  # noqa: BLE001  as above
            self._abort(error, batch, verdicts)
        self._release_slot(in_flight, batch, verdicts)

    def _abort(self, error: BaseException, batch: Batch, verdicts: BatchVerdicts) -> None:
        """End the run over a batch. Its slot must still be released, or `finish()` blocks forever.

        The process itself may be ending.
        """
        if isinstance(error, RunEnded):
            return
        if isinstance(error, LeftToNextRun):
            self._postpone(error.outcome)
        elif isinstance(error, ConnectorError) and not isinstance(error, InternalError):
            self._fail(error)
        else:
            verdicts.ambiguous_rows.update(batch.rows)
            mistake = error if isinstance(error, InternalError) else InternalError.of(error)
            self._fail(mistake)

    def _release_slot(self, in_flight: PageInFlight, batch: Batch, verdicts: BatchVerdicts) -> None:
        """Finish a batch and give its slot to the next."""
        try:
            in_flight.finish_batch(batch, verdicts)
        except BaseException as error:  # noqa: BLE001  as above
            self._fail(InternalError.of(error))
        finally:
            with self._changed:
                self._slots.release()
                self._changed.notify_all()
            if in_flight.done():
                self.on_progress()
        self._start_pending()

    def _postpone(self, outcome: Retry) -> None:
        """End the run and remember until when the platform wants to be left alone."""
        if outcome.unreachable and not self._exchange.heard:
            self._fail(
                EndpointError(
                    f"{outcome.why}, in every attempt, so nothing was sent; check the endpoint's"
                    " name and port, and whether this machine may reach it; the next run tries"
                    " again"
                )
            )
            return
        if outcome.wait:
            self.not_before = max(self.not_before or 0.0, self._clock() + outcome.wait)
        if outcome.wait is not None and outcome.wait > MAX_WAIT_IN_RUN:
            message = (
                f"the platform asked to wait {outcome.wait:.0f} s ({outcome.why}); a run after that"
                " goes on from here"
            )
        else:
            message = f"requests kept failing ({outcome.why}); the rest waits for the next run"
        self._fail(Postponed(message))

    def _fail(self, error: ConnectorError) -> None:
        """End the run; an error that a person must act on outweighs a postponement."""
        if self.error is None or (
            isinstance(self.error, Postponed) and not isinstance(error, Postponed)
        ):
            self.error = error
        self.end()
