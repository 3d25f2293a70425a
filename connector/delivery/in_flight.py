"""What is known of pages and batches in flight: verdicts on their records, and what they cost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np

from connector.delivery.outcome import Delivered, PerRecord, Refusal, Unlocated
from connector.delivery.redact import Redactor
from connector.model import Batch, PageResult, Refused, RowState


class PageInFlight:
    """A page in flight."""

    def __init__(self, result: PageResult, batches: int) -> None:
        self.result = result
        self._unfinished = batches
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._delivered_of_unsettled: list[int] = []
        if not batches:
            self._finished.set()

    def done(self) -> bool:
        """Return whether every batch is finished."""
        return self._finished.is_set()

    def wait(self) -> None:
        """Wait until every batch is finished."""
        self._finished.wait()

    def finish_batch(self, batch: Batch, verdicts: BatchVerdicts) -> None:
        """Note what became of a batch.

        One without all verdicts stays open: it is sent again as it was, if any of it may have
        been taken.
        """
        with self._lock:
            try:
                self._add(batch, verdicts)
            finally:
                self._unfinished -= 1
                if not self._unfinished:
                    self._finished.set()

    def _add(self, batch: Batch, verdicts: BatchVerdicts) -> None:
        result = self.result
        for status, requests in verdicts.statuses.items():
            result.statuses[status] += requests
        result.requests += verdicts.requests
        result.retries += verdicts.retries
        result.ambiguous += verdicts.ambiguous
        result.receipts += verdicts.receipts
        if len(verdicts.states) == len(batch):
            _write(verdicts.states, result.states)
            if result.answers is not None:
                for rows, answer in verdicts.answered:
                    result.answers[rows] = answer
            result.refusals.update(verdicts.refusals)
        else:
            result.open_ambiguous |= not verdicts.ambiguous_rows <= verdicts.states.keys()
            self._delivered_of_unsettled += [
                row for row, state in verdicts.states.items() if state is RowState.DELIVERED
            ]

    def settle(self) -> None:
        """Settle what was delivered of batches that broke off, once all batches are finished.

        A page that has to be sent again as it was stays open as a whole.
        """
        if not self.result.open_ambiguous:
            self.result.states[self._delivered_of_unsettled] = RowState.DELIVERED


def _write(verdicts: dict[int, RowState], states: np.ndarray) -> None:
    """Put verdicts in their places.

    A single event does without a list of places, which would take longer than all else here.
    """
    if len(verdicts) == 1:
        ((row, state),) = verdicts.items()
        states[row] = state
    else:
        states[list(verdicts)] = np.fromiter(verdicts.values(), np.int8, len(verdicts))


class BatchVerdicts:
    """Verdicts on the records of a batch, and what they cost.

    Args:
        redactor: decides what is kept of the platform's words.
        beside: what the request says of its rows beside their records; no message may hold it.

    states: row -> verdict. ambiguous_rows: of requests that may have been taken. answer: HTTP
    status and number of the latest request that was answered. answered: rows, and the answer that
    gave their verdicts.
    """

    def __init__(self, redactor: Redactor, beside: Sequence[str] = ()) -> None:
        self._redactor, self._beside = redactor, beside
        self.states: dict[int, RowState] = {}
        self.refusals: dict[int, Refused] = {}
        self.ambiguous_rows: set[int] = set()
        self.statuses: Counter[str] = Counter()
        self.receipts: list[str] = []
        self.requests = self.retries = self.ambiguous = 0
        self.answer = 0, 0
        self.answered: list[tuple[list[int], tuple[int, int]]] = []

    def record(self, batch: Batch, outcome: Delivered | PerRecord | Unlocated) -> None:
        """Record what a response says of the records of its request."""
        rows = batch.rows
        if isinstance(outcome, PerRecord):
            rows = [batch.rows[position] for position in (*outcome.delivered, *outcome.refused)]
        if not isinstance(outcome, Unlocated) or len(batch) == 1:
            self.answered.append((rows, self.answer))
        if isinstance(outcome, Delivered):
            self.states.update(dict.fromkeys(batch.rows, RowState.DELIVERED))
            self.receipts += [outcome.receipt] if outcome.receipt is not None else []
        elif isinstance(outcome, PerRecord):
            self.states.update(
                (batch.rows[position], RowState.DELIVERED) for position in outcome.delivered
            )
            for position, refusal in outcome.refused.items():
                self._refuse(batch, position, refusal)
        elif len(batch) == 1:
            self._refuse(batch, 0, outcome.refusal)

    def without_verdict(self, batch: Batch) -> Batch:
        """Return the records of a batch that have no verdict yet."""
        return batch.part(
            [position for position, row in enumerate(batch.rows) if row not in self.states]
        )

    def _refuse(self, batch: Batch, position: int, refusal: Refusal) -> None:
        row = batch.rows[position]
        self.states[row] = RowState.REJECTED
        self.refusals[row] = self._redactor.refused(refusal, batch.records[position], self._beside)
