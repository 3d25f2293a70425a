"""Delivers pages: several requests in flight, retries, bisection, and an early stop when nothing can be delivered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from connector import failpoints
from connector.delivery.answers import Delivered, Named, Outcome, Refusal, Stop, TryAgain, Unlocated, interpret
from connector.delivery.auth import Auth
from connector.delivery.batch import halves, spread
from connector.delivery.fastest import Sender
from connector.delivery.redact import redact, redact_code
from connector.delivery.retry import LONGEST_WAIT, Budget, Gate, Policy
from connector.delivery.transport import Answer, Call
from connector.errors import ConnectorError, EndpointError, InternalError, Postponed
from connector.page import Batch, Page, Refused, Result, State
from connector.platforms.model import Answers

SYSTEMIC_LEAST = 20
"""Up to this many refused rows are never a sign that everything is refused."""

SYSTEMIC_SHARE = 0.9
_SAMPLE = 10
_LONGEST_CODE, _LONGEST_FIELD = 64, 128


class Stopped(Exception):
    """Another request met something that ends the run; this one was not sent."""


class Courier:
    """Sends the batches of pages. build: makes the call of a batch, without credentials.

    accept_all: a person said that refusals of nearly everything are to be recorded all the same.
    """

    def __init__(
        self,
        transport: Sender,
        auth: Auth,
        answers: Answers,
        build: Callable[[Page, Batch], Call],
        *,
        concurrency: int,
        gate: Gate,
        budget: Budget | None = None,
        accept_all: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport, self._auth, self._answers, self._build = transport, auth, answers, build
        self._gate, self._clock, self._accept_all = gate, clock, accept_all
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="capi-send")
        self._ended = threading.Event()
        self._policy = Policy(budget or Budget(), gate, stopped=self._ended.is_set, sleep=self._sleep)
        self._renewing = threading.Lock()
        self._renewals = self._proven = 0
        self.error: ConnectorError | None = None
        self.not_before: float | None = None

    def submit(self, page: Page) -> Delivery:
        """Begin to send a page's batches; returns at once."""
        result = Result.of(page)
        delivery = Delivery(result)
        delivery.futures = [self._pool.submit(self._deliver, delivery, batch) for batch in page.batches]
        return delivery

    def finish(self, delivery: Delivery) -> Result:
        """Wait for a page. Rows stay open where the run has to end early; `error` then says why."""
        for future in delivery.futures:
            future.result()
        delivery.settle()
        if not self._accept_all:
            self._refuse_systemic(delivery.result)
        return delivery.result

    def end(self) -> None:
        """Send nothing more; requests that are under way are waited for."""
        self._ended.set()

    def close(self) -> None:
        """Stop all threads."""
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, delivery: Delivery, batch: Batch) -> None:
        """One batch, down to single records where it must be; never raises."""
        found = _Found()
        try:
            self._settle(delivery.result.page, batch, found)
        except Stopped:
            pass
        except ConnectorError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  whatever it is, its text may quote a record
            found.doubtful.update(batch.rows)
            self._fail(InternalError.of(error))
        delivery.note(batch, found)

    def _settle(self, page: Page, batch: Batch, found: _Found) -> None:
        """Find a verdict on every record of a batch, in parts where it is refused as a whole."""
        waiting, probed = [batch], self._accept_all
        while waiting:
            part = waiting.pop()
            unlocated = self._send(page, part, found)
            rest = found.without_verdict(part)
            if unlocated is not None and not unlocated.by_bytes and not probed and len(rest) > SYSTEMIC_LEAST:
                self._probe(page, rest, found)
                rest, probed = found.without_verdict(rest), True
            if unlocated is not None and len(rest) > 1:
                waiting += reversed(halves(rest, by_bytes=unlocated.by_bytes))
            elif len(rest):
                waiting.append(rest)

    def _probe(self, page: Page, batch: Batch, found: _Found) -> None:
        """A whole batch was refused: before halving it, see whether single records fare any better."""
        codes: set[str] = set()
        for position in spread(batch, _SAMPLE):
            self._send(page, batch.part([position]), found)
            refused = found.refusals.get(batch.rows[position])
            if refused is None or codes - {refused.code}:
                return
            codes.add(refused.code)
        raise EndpointError(_systemic(codes.pop(), min(_SAMPLE, len(batch))))

    def _send(self, page: Page, batch: Batch, found: _Found) -> Unlocated | None:
        """One batch, with retries. Notes the verdicts; returns the refusal that blames some record out of several, if there was one.

        Raises EndpointError for what no record can be blamed for, Stopped where the rest is left to the next run.
        """
        part, call, first = batch, self._build(page, batch), True

        def once() -> Outcome:
            nonlocal part, call, first
            self._pass_gate()
            if first:
                self._policy.budget.sent()
            else:
                found.retries += 1
            first = False
            outcome = self._exchange(call, part, found)
            if isinstance(outcome, Named) and outcome.unclear:
                found.note(part, outcome)
                part = found.without_verdict(part)
                call = self._build(page, part)
                return self._heeded(TryAgain("an answer without a verdict on some records", ambiguous=True, not_understood=True), part, found)
            return outcome

        outcome = self._policy.run(once)
        if isinstance(outcome, Stop):
            raise EndpointError(outcome.why)
        if isinstance(outcome, TryAgain):
            self._postpone(outcome)
            raise Stopped
        found.note(part, outcome)
        return outcome if isinstance(outcome, Unlocated) and len(part) > 1 else None

    def _exchange(self, call: Call, batch: Batch, found: _Found) -> Outcome:
        """One request and its answer; where the credentials were refused and can be renewed, another one."""
        while True:
            renewals = self._renewals
            failpoints.reach("before_send")
            answer = self._transport.send(self._auth.sign(call))
            failpoints.reach("after_send")
            found.requests += 1
            found.statuses[str(answer.status) if isinstance(answer, Answer) else answer.detail] += 1
            outcome = interpret(answer, batch.records, self._answers, self._clock())
            if isinstance(outcome, TryAgain):
                return self._heeded(outcome, batch, found)
            if not isinstance(outcome, Stop):
                self._proven = max(self._proven, renewals)
            elif outcome.auth and self._renew(renewals):
                self._pass_gate()
                continue
            return outcome

    def _heeded(self, outcome: TryAgain, batch: Batch, found: _Found) -> TryAgain:
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
            self._fail(Postponed(f"the platform asked to wait {outcome.wait:.0f} s ({outcome.why}); a run after that goes on from here"))
        else:
            self._fail(Postponed(f"requests kept failing ({outcome.why}); the rest waits for the next run"))

    def _fail(self, error: ConnectorError) -> None:
        if self.error is None or (isinstance(self.error, Postponed) and not isinstance(error, Postponed)):
            self.error = error
        self._ended.set()

    def _refuse_systemic(self, result: Result) -> None:
        """Where nearly all of a page was refused for one reason, blame the request and leave the rows open."""
        sent = sum(len(batch) for batch in result.page.batches)
        codes = Counter(refused.code for refused in result.refusals.values())
        code, number = codes.most_common(1)[0] if codes else ("", 0)
        if number > SYSTEMIC_LEAST and number >= SYSTEMIC_SHARE * sent:
            for row in result.refusals:
                result.states[row] = 0
            result.refusals.clear()
            self._fail(EndpointError(_systemic(code, number)))

    def _sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)


class Delivery:
    """A page under way."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.futures: list[Future[None]] = []
        self._lock = threading.Lock()
        self._partly: list[int] = []

    def done(self) -> bool:
        """Whether every batch has been dealt with."""
        return all(future.done() for future in self.futures)

    def note(self, batch: Batch, found: _Found) -> None:
        """What became of a batch. One without all verdicts stays open: it is sent again as it was, if any of it may have been taken."""
        with self._lock:
            result = self.result
            result.statuses.update(found.statuses)
            result.requests += found.requests
            result.retries += found.retries
            result.ambiguous += found.ambiguous
            result.receipts += found.receipts
            if len(found.states) == len(batch):
                for row, state in found.states.items():
                    result.states[row] = state
                result.refusals.update(found.refusals)
            else:
                result.open_ambiguous |= not found.doubtful <= found.states.keys()
                self._partly += [row for row, state in found.states.items() if state is State.DELIVERED]

    def settle(self) -> None:
        """Once all batches ended: what was delivered of a batch that broke off is settled, unless the page has to be sent again as it was."""
        if not self.result.open_ambiguous:
            self.result.states[self._partly] = State.DELIVERED


class _Found:
    """Verdicts on the records of a batch, and what they cost. doubtful: rows of requests that may have been taken."""

    def __init__(self) -> None:
        self.states: dict[int, State] = {}
        self.refusals: dict[int, Refused] = {}
        self.doubtful: set[int] = set()
        self.statuses: Counter[str] = Counter()
        self.receipts: list[str] = []
        self.requests = self.retries = self.ambiguous = 0

    def note(self, batch: Batch, outcome: Delivered | Named | Unlocated) -> None:
        """What an answer says of the records of its request."""
        if isinstance(outcome, Delivered):
            self.states.update(dict.fromkeys(batch.rows, State.DELIVERED))
            self.receipts += [outcome.receipt] if outcome.receipt is not None else []
        elif isinstance(outcome, Named):
            self.states.update((batch.rows[position], State.DELIVERED) for position in outcome.delivered)
            for position, refusal in outcome.refused.items():
                self._refuse(batch, position, refusal)
        elif len(batch) == 1:
            self._refuse(batch, 0, outcome.refusal)

    def without_verdict(self, batch: Batch) -> Batch:
        """The records of a batch that nothing is known of yet."""
        return batch.part([position for position, row in enumerate(batch.rows) if row not in self.states])

    def _refuse(self, batch: Batch, position: int, refusal: Refusal) -> None:
        row, record = batch.rows[position], batch.records[position]
        self.states[row] = State.REJECTED
        field = redact(refusal.field, record)[:_LONGEST_FIELD] if refusal.field else None
        self.refusals[row] = Refused(redact_code(refusal.code, record, _LONGEST_CODE), redact(refusal.message, record), field)


def _systemic(code: str, number: int) -> str:
    return (
        f"the platform refuses nearly everything for one reason (code {code}, {number} records in a row of tests); nothing was quarantined and the mark"
        " stays. Mend the account, the mapping or the query; if these rows really are all bad, run `capi sync NAME --yes` to quarantine them"
    )
