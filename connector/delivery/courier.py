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
from connector.delivery.redact import redact
from connector.delivery.retry import LONGEST_WAIT, Budget, Gate, Policy
from connector.delivery.transport import Answer, Call, Transport
from connector.errors import ConnectorError, EndpointError, Postponed
from connector.page import Batch, Page, Refused, Result, State
from connector.platforms.model import Answers

SYSTEMIC_LEAST = 20
"""Up to this many refused rows are never a sign that everything is refused."""

SYSTEMIC_SHARE = 0.9
_SAMPLE = 10


class Stopped(Exception):
    """Another request met something that ends the run; this one was not sent."""


class Courier:
    """Sends the batches of pages. build: makes the call of a batch, without credentials.

    accept_all: a person said that refusals of nearly everything are to be recorded all the same.
    """

    def __init__(
        self,
        transport: Transport,
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
        self._refresh = threading.Lock()
        self._refreshed = False
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
        tally = _Tally()
        states: dict[int, State] = {}
        refusals: dict[int, Refused] = {}
        try:
            self._resolve(delivery.result.page, batch, tally, states, refusals, level=0)
        except Stopped:
            pass
        except ConnectorError as error:
            self._fail(error)
        with delivery.lock:
            delivery.result.statuses.update(tally.statuses)
            delivery.result.requests += tally.requests
            delivery.result.retries += tally.retries
            delivery.result.ambiguous += tally.ambiguous
            delivery.result.receipts += tally.receipts
            if len(states) == len(batch):
                for row, state in states.items():
                    delivery.result.states[row] = state
                delivery.result.refusals.update(refusals)
            elif tally.ambiguous or states:
                delivery.result.open_ambiguous = True

    def _resolve(self, page: Page, batch: Batch, tally: _Tally, states: dict[int, State], refusals: dict[int, Refused], level: int) -> Refusal | None:
        """Settle every record of a batch. Returns the refusal that met the whole of it, if one did."""
        outcome = self._send(page, batch, tally)
        if isinstance(outcome, Delivered):
            states.update(dict.fromkeys(batch.rows, State.DELIVERED))
            tally.receipts += [outcome.receipt] if outcome.receipt is not None else []
            return None
        if isinstance(outcome, Named):
            self._settle_named(page, batch, outcome, tally, states, refusals, level)
            return None
        if isinstance(outcome, Unlocated):
            if len(batch) == 1:
                self._refuse(batch, 0, outcome.refusal, states, refusals)
                return outcome.refusal
            if level == 0 and len(batch) > SYSTEMIC_LEAST and not outcome.by_bytes and not self._accept_all:
                self._probe(page, batch, outcome.refusal, tally)
            for half in halves(batch, by_bytes=outcome.by_bytes):
                self._resolve(page, half, tally, states, refusals, level + 1)
            return outcome.refusal
        assert isinstance(outcome, TryAgain)
        self._postpone(outcome)
        raise Stopped

    def _settle_named(
        self, page: Page, batch: Batch, outcome: Named, tally: _Tally, states: dict[int, State], refusals: dict[int, Refused], level: int
    ) -> None:
        for position in outcome.delivered:
            states[batch.rows[position]] = State.DELIVERED
        for position, refusal in outcome.refused.items():
            self._refuse(batch, position, refusal, states, refusals)
        rest = [position for position in range(len(batch)) if position not in outcome.delivered and position not in outcome.refused]
        if rest:
            self._resolve(page, batch.part(rest), tally, states, refusals, level + 1)

    def _refuse(self, batch: Batch, position: int, refusal: Refusal, states: dict[int, State], refusals: dict[int, Refused]) -> None:
        record = batch.records[position]
        states[batch.rows[position]] = State.REJECTED
        field = redact(refusal.field, record) if refusal.field else None
        refusals[batch.rows[position]] = Refused(redact(refusal.code, b"{}")[:64], redact(refusal.message, record), field)

    def _probe(self, page: Page, batch: Batch, refusal: Refusal, tally: _Tally) -> None:
        """A whole batch was refused: before halving it, see whether single records fare any better."""
        for position in spread(batch, _SAMPLE):
            outcome = self._send(page, batch.part([position]), tally)
            alone = outcome.refusal if isinstance(outcome, Unlocated) else outcome.refused.get(0) if isinstance(outcome, Named) else None
            if alone is None or alone.code != refusal.code:
                return
        raise EndpointError(_systemic(refusal.code, min(_SAMPLE, len(batch))))

    def _send(self, page: Page, batch: Batch, tally: _Tally) -> Outcome:
        """One batch, with retries. Raises EndpointError for what no record can be blamed for."""
        call = self._build(page, batch)
        first = True

        def once() -> Outcome:
            nonlocal first
            if not first:
                tally.retries += 1
            if self._ended.is_set():
                raise Stopped
            self._gate.wait()
            if self._ended.is_set():
                raise Stopped
            if first:
                self._policy.budget.sent()
            first = False
            failpoints.reach("before_send")
            answer = self._transport.send(self._auth.sign(call))
            failpoints.reach("after_send")
            tally.requests += 1
            tally.statuses[str(answer.status) if isinstance(answer, Answer) else answer.detail] += 1
            outcome = interpret(answer, batch.records, self._answers, self._clock())
            if isinstance(outcome, TryAgain):
                tally.ambiguous += outcome.ambiguous
                if outcome.throttled:
                    self._gate.pause(min(outcome.wait if outcome.wait is not None else 1.0, LONGEST_WAIT))
            if isinstance(outcome, Stop) and outcome.auth and self._refresh_token():
                return once()
            return outcome

        outcome = self._policy.run(once)
        if isinstance(outcome, Stop):
            raise EndpointError(outcome.why)
        return outcome

    def _refresh_token(self) -> bool:
        """Once a run, where the credentials can be renewed."""
        with self._refresh:
            if self._refreshed:
                return False
            self._refreshed = True
            return self._auth.refresh()

    def _postpone(self, outcome: TryAgain) -> None:
        if outcome.wait is not None and outcome.wait > LONGEST_WAIT:
            self.not_before = max(self.not_before or 0.0, self._clock() + outcome.wait)
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
        self.lock = threading.Lock()

    def done(self) -> bool:
        """Whether every batch has been dealt with."""
        return all(future.done() for future in self.futures)


class _Tally:
    """What a batch cost."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.receipts: list[str] = []
        self.requests = self.retries = self.ambiguous = 0


def _systemic(code: str, number: int) -> str:
    return (
        f"the platform refuses nearly everything for one reason (code {code}, {number} records in a row of tests); nothing was quarantined and the mark"
        " stays. Mend the account, the mapping or the query; if these rows really are all bad, run `capi sync NAME --yes` to quarantine them"
    )
