"""Delivers pages: several requests in flight, retries, bisection, and an early stop when nothing can be delivered.

The first attempt of every batch is left to the transport, which tells when the answer is there; most batches need no more. Only
what has to be tried again or cut up goes on in a thread of ours, where waiting and sending can be written one after the other.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from connector.arrow.records import Place
from connector.delivery.auth import Auth
from connector.delivery.batch import halves, spread
from connector.delivery.in_flight import BatchVerdicts, PageInFlight
from connector.delivery.rate_limit import RateLimiter, RetryBudget
from connector.delivery.response import (
    Delivered,
    Named,
    Outcome,
    Stop,
    TryAgain,
    Unlocated,
    interpret,
)
from connector.delivery.retry import LONGEST_WAIT, RetryPolicy
from connector.delivery.transports.base import Answer, Call, Transport, TransportFailure
from connector.errors import ConnectorError, EndpointError, InternalError, Postponed
from connector.model import Batch, Page, PageResult
from connector.platforms.answers import Answers

SYSTEMIC_LEAST = 20
"""Up to this many refused rows are never a sign that everything is refused."""

SYSTEMIC_SHARE = 0.9
_SAMPLE = 10


class Stopped(Exception):
    """Another request met something that ends the run; this one was not sent."""


class Heard(NamedTuple):
    """What came of one request. renewals: how often the credentials had been renewed when it was signed."""

    outcome: Outcome
    renewals: int


class Sender:
    """Sends the batches of pages. build: makes the call of a batch, without credentials.

    accept_all: a person said that refusals of nearly everything are to be recorded all the same. secrets: what no message may hold.
    impersonal: places in a record where there is nothing of a person. credentials: the settings that hold them, for whoever has to renew one.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        answers: Answers,
        build: Callable[[Page, Batch], Call],
        *,
        concurrency: int,
        gate: RateLimiter,
        budget: RetryBudget | None = None,
        accept_all: bool = False,
        secrets: Sequence[str] = (),
        impersonal: Collection[Place] = (),
        credentials: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport, self._auth, self._answers, self._build = transport, auth, answers, build
        self._gate, self._clock, self._accept_all = gate, clock, accept_all
        self._secrets, self._impersonal, self._credentials = secrets, impersonal, credentials
        self._waiting: deque[tuple[PageInFlight, Batch]] = deque()
        self._places = self.concurrency = concurrency
        self._turn = threading.Condition()
        self._shut = threading.Event()
        self._pacer: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="capi-send")
        self._ended = threading.Event()
        self._policy = RetryPolicy(
            budget or RetryBudget(), gate, stopped=self._ended.is_set, sleep=self._sleep
        )
        self._renewing = threading.Lock()
        self._renewals = self._proven = 0
        self._systemic = False
        self._taken: tuple[tuple[int, bytes, str | None, int] | None, Outcome] = None, Delivered()
        self.error: ConnectorError | None = None
        self.not_before: float | None = None

    def submit(self, page: Page) -> PageInFlight:
        """Begin to send a page's batches; returns at once."""
        delivery = PageInFlight(PageResult.of(page), len(page.batches))
        with self._turn:
            self._waiting.extend((delivery, batch) for batch in page.batches)
        self._launch()
        return delivery

    def finish(self, delivery: PageInFlight) -> PageResult:
        """Wait for a page. Rows stay open where the run has to end early; `error` then says why."""
        delivery.wait()
        delivery.settle()
        if not self._accept_all:
            self._refuse_systemic(delivery.result)
        return delivery.result

    def end(self) -> None:
        """Send nothing more; requests that are under way are waited for."""
        self._ended.set()
        self._shut.set()
        self._launch()

    def close(self) -> None:
        """Stop all threads, once what is under way has landed."""
        self.end()
        with self._turn:
            self._turn.wait_for(lambda: self._places == self.concurrency)
        if self._pacer is not None:
            self._pacer.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _nothing_found(self) -> BatchVerdicts:
        return BatchVerdicts(self._secrets, self._answers.codes, self._impersonal)

    def _launch(self) -> float:
        """Let first attempts leave while there are places for them. Returns seconds to wait, where the gate is what holds them up."""
        while True:
            with self._turn:
                if self._ended.is_set():
                    while self._waiting:
                        delivery, batch = self._waiting.popleft()
                        delivery.note(batch, self._nothing_found())
                if not self._waiting or not self._places:
                    return 0.0
                wait = self._gate.take()
                if wait:
                    self._await_gate()
                    return wait
                delivery, batch = self._waiting.popleft()
                self._places -= 1
            self._depart(delivery, batch)

    def _await_gate(self) -> None:
        """See to it that somebody comes back when the gate opens."""
        if self._pacer is None:
            self._pacer = threading.Thread(target=self._pace, name="capi-pace", daemon=True)
            self._pacer.start()
        self._shut.set()

    def _pace(self) -> None:
        while not self._ended.is_set():
            self._shut.wait()
            self._shut.clear()
            while wait := self._launch():
                self._ended.wait(wait)

    def _depart(self, delivery: PageInFlight, batch: Batch) -> None:
        """A batch leaves for the first time."""
        found, renewals = self._nothing_found(), self._renewals
        try:
            call = self._build(delivery.result.page, batch)
            self._policy.budget.sent()
            self._transport.submit(
                self._auth.sign(call), partial(self._arrive, delivery, batch, found, renewals)
            )
        except BaseException as error:  # whatever it is, its text may quote a record
            self._break_off(error, batch, found)
            self._land(delivery, batch, found)
            if not isinstance(error, Exception):
                raise

    def _arrive(
        self,
        delivery: PageInFlight,
        batch: Batch,
        found: BatchVerdicts,
        renewals: int,
        answer: Answer | TransportFailure,
    ) -> None:
        """The answer to a first attempt is there."""
        try:
            first = Heard(self._hear(answer, batch, found, renewals), renewals)
            if not isinstance(first.outcome, Delivered):
                self._pool.submit(self._go_on, delivery, batch, found, first)
                return
            found.note(batch, first.outcome)
        except BaseException as error:  # noqa: BLE001  as above
            self._break_off(error, batch, found)
        self._land(delivery, batch, found)

    def _go_on(
        self, delivery: PageInFlight, batch: Batch, found: BatchVerdicts, first: Heard
    ) -> None:
        """A batch that needs more than its first attempt, down to single records where it must be."""
        try:
            self._settle(delivery.result.page, batch, found, first)
        except BaseException as error:  # noqa: BLE001  as above
            self._break_off(error, batch, found)
        self._land(delivery, batch, found)

    def _break_off(self, error: BaseException, batch: Batch, found: BatchVerdicts) -> None:
        """Nothing more of this batch; it lands all the same, or the run would wait for it for ever. The process may be ending."""
        if isinstance(error, ConnectorError):
            self._fail(error)
        elif not isinstance(error, Stopped):
            found.doubtful.update(batch.rows)
            self._fail(InternalError.of(error))

    def _land(self, delivery: PageInFlight, batch: Batch, found: BatchVerdicts) -> None:
        """A batch is done with; its place goes to the next."""
        delivery.note(batch, found)
        with self._turn:
            self._places += 1
            self._turn.notify_all()
        self._launch()

    def _settle(self, page: Page, batch: Batch, found: BatchVerdicts, first: Heard | None) -> None:
        """Find a verdict on every record of a batch, in parts where it is refused as a whole. first: of its first attempt."""
        waiting, probed = [batch], self._accept_all
        while waiting:
            part = waiting.pop()
            unlocated, first = self._send(page, part, found, first), None
            rest = found.without_verdict(part)
            if (
                unlocated is not None
                and not unlocated.by_bytes
                and not probed
                and len(rest) > SYSTEMIC_LEAST
            ):
                self._probe(page, rest, found)
                rest, probed = found.without_verdict(rest), True
            if unlocated is not None and len(rest) > 1:
                waiting += reversed(halves(rest, by_bytes=unlocated.by_bytes))
            elif len(rest):
                waiting.append(rest)

    def _probe(self, page: Page, batch: Batch, found: BatchVerdicts) -> None:
        """A whole batch was refused: before halving it, see whether single records fare any better."""
        codes: set[str] = set()
        for position in spread(batch, _SAMPLE):
            self._send(page, batch.part([position]), found)
            refused = found.refusals.get(batch.rows[position])
            if refused is None or codes - {refused.code}:
                return
            codes.add(refused.code)
        self._systemic = True
        raise EndpointError(_systemic(codes.pop(), min(_SAMPLE, len(batch))))

    def _send(
        self, page: Page, batch: Batch, found: BatchVerdicts, heard: Heard | None = None
    ) -> Unlocated | None:
        """One batch, with retries. Notes the verdicts; returns the refusal that blames some record out of several, if there was one.

        heard: of the first attempt, where there was one.
        Raises EndpointError for what no record can be blamed for, Stopped where the rest is left to the next run.
        """
        part, call, first = batch, self._build(page, batch), heard is None

        def once() -> Outcome:
            nonlocal part, call, first, heard
            if heard is None:
                self._pass_gate()
                if first:
                    self._policy.budget.sent()
                else:
                    found.retries += 1
            outcome, heard, first = self._exchange(call, part, found, heard), None, False
            if isinstance(outcome, Named) and outcome.unclear:
                found.note(part, outcome)
                part = found.without_verdict(part)
                call = self._build(page, part)
                return self._heeded(
                    TryAgain(
                        "an answer without a verdict on some records",
                        ambiguous=True,
                        not_understood=True,
                    ),
                    part,
                    found,
                )
            return outcome

        outcome = self._policy.run(once)
        if isinstance(outcome, Stop):
            raise EndpointError(
                f"{outcome.why}; check {self._credentials}"
                if outcome.auth and self._credentials
                else outcome.why
            )
        if isinstance(outcome, TryAgain):
            self._postpone(outcome)
            raise Stopped
        found.note(part, outcome)
        return outcome if isinstance(outcome, Unlocated) and len(part) > 1 else None

    def _exchange(
        self, call: Call, batch: Batch, found: BatchVerdicts, heard: Heard | None
    ) -> Outcome:
        """One request and its answer; where the credentials were refused and can be renewed, another one. heard: of a request before."""
        outcome, renewals = heard or self._ask(call, batch, found)
        while isinstance(outcome, Stop) and outcome.auth and self._renew(renewals):
            self._pass_gate()
            outcome, renewals = self._ask(call, batch, found)
        return outcome

    def _ask(self, call: Call, batch: Batch, found: BatchVerdicts) -> Heard:
        renewals = self._renewals
        answer = self._transport.send(self._auth.sign(call))
        return Heard(self._hear(answer, batch, found, renewals), renewals)

    def _hear(
        self, answer: Answer | TransportFailure, batch: Batch, found: BatchVerdicts, renewals: int
    ) -> Outcome:
        """What an answer means."""
        found.requests += 1
        found.statuses[str(answer.status) if isinstance(answer, Answer) else answer.detail] += 1
        outcome = self._meaning(answer, batch)
        if isinstance(outcome, TryAgain):
            return self._heeded(outcome, batch, found)
        if not isinstance(outcome, Stop):
            self._proven = max(self._proven, renewals)
        return outcome

    def _meaning(self, answer: Answer | TransportFailure, batch: Batch) -> Outcome:
        """What `interpret` says; the answer to most single events is the same as the last, and means the same."""
        if isinstance(answer, TransportFailure):
            return interpret(answer, batch.records, self._answers, self._clock())
        same = (answer.status, answer.body, answer.headers.get("content-type"), len(batch))
        before, outcome = self._taken
        if same == before:
            return outcome
        outcome = interpret(answer, batch.records, self._answers, self._clock())
        if isinstance(outcome, Delivered) and not self._answers.located.echo:
            self._taken = same, outcome
        return outcome

    def _heeded(self, outcome: TryAgain, batch: Batch, found: BatchVerdicts) -> TryAgain:
        """Remember what may have been taken, and hold everybody back if the platform has had enough."""
        if outcome.ambiguous:
            found.ambiguous += 1
            found.doubtful.update(batch.rows)
        if outcome.throttled:
            self._gate.pause(min(outcome.wait if outcome.wait is not None else 1.0, LONGEST_WAIT))
        return outcome

    def _pass_gate(self) -> None:
        """Wait for this request's turn. Raises Stopped where the run has ended."""
        if not self._ended.is_set():
            self._gate.wait(self._sleep)
        if self._ended.is_set():
            raise Stopped

    def _renew(self, renewals: int) -> bool:
        """Credentials that were refused are renewed once, by one thread; new ones must have worked before they are renewed again.

        renewals: how often they had been renewed when the refused request was signed.
        """
        with self._renewing:
            if self._renewals == renewals:
                if renewals > self._proven or not self._auth.refresh():
                    return False
                self._renewals += 1
            return True

    def _postpone(self, outcome: TryAgain) -> None:
        if outcome.wait:
            self.not_before = max(self.not_before or 0.0, self._clock() + outcome.wait)
        if outcome.wait is not None and outcome.wait > LONGEST_WAIT:
            self._fail(
                Postponed(
                    f"the platform asked to wait {outcome.wait:.0f} s ({outcome.why}); a run after that goes on from here"
                )
            )
        else:
            self._fail(
                Postponed(f"requests kept failing ({outcome.why}); the rest waits for the next run")
            )

    def _fail(self, error: ConnectorError) -> None:
        if self.error is None or (
            isinstance(self.error, Postponed) and not isinstance(error, Postponed)
        ):
            self.error = error
        self.end()

    def _refuse_systemic(self, result: PageResult) -> None:
        """Where nearly all of a page was refused for one reason, blame the request; from then on no refusal counts, and its row stays open."""
        sent = sum(len(batch) for batch in result.page.batches)
        codes = Counter(refused.code for refused in result.refusals.values())
        code, number = codes.most_common(1)[0] if codes else ("", 0)
        if number > SYSTEMIC_LEAST and number >= SYSTEMIC_SHARE * sent:
            self._systemic = True
            self._fail(EndpointError(_systemic(code, number)))
        if self._systemic:
            result.states[list(result.refusals)] = 0
            result.refusals.clear()

    def _sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)


def _systemic(code: str, number: int) -> str:
    return (
        f"the platform refuses nearly everything for one reason (code {code}, {number} records one after the other); none that it refused is quarantined, and the"
        " mark stays. Mend the account, the mapping or the query; if these rows really are all bad, `capi sync` with --yes quarantines them"
    )
