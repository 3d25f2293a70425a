"""What is known of batches under way: verdicts on their records, and what they cost; kept apart from how they are sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from connector.arrow.records import Place
from connector.delivery.redact import redact, redact_code
from connector.delivery.response import Delivered, Named, Refusal, Unlocated
from connector.model import Batch, PageResult, Refused, RowState
from connector.platforms.answers import Codes

_LONGEST_CODE, _LONGEST_FIELD = 64, 128


class PageInFlight:
    """A page under way."""

    def __init__(self, result: PageResult, batches: int) -> None:
        self.result = result
        self._open = batches
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._partly: list[int] = []
        if not batches:
            self._over.set()

    def done(self) -> bool:
        """Whether every batch has been dealt with."""
        return self._over.is_set()

    def wait(self) -> None:
        """Until every batch has been dealt with."""
        self._over.wait()

    def note(self, batch: Batch, found: BatchVerdicts) -> None:
        """What became of a batch. One without all verdicts stays open: it is sent again as it was, if any of it may have been taken."""
        with self._lock:
            result = self.result
            for status, requests in found.statuses.items():
                result.statuses[status] += requests
            result.requests += found.requests
            result.retries += found.retries
            result.ambiguous += found.ambiguous
            result.receipts += found.receipts
            if len(found.states) == len(batch):
                _write(found.states, result.states)
                result.refusals.update(found.refusals)
            else:
                result.open_ambiguous |= not found.doubtful <= found.states.keys()
                self._partly += [
                    row for row, state in found.states.items() if state is RowState.DELIVERED
                ]
            self._open -= 1
            if not self._open:
                self._over.set()

    def settle(self) -> None:
        """Once all batches ended: what was delivered of a batch that broke off is settled, unless the page has to be sent again as it was."""
        if not self.result.open_ambiguous:
            self.result.states[self._partly] = RowState.DELIVERED


def _write(found: dict[int, RowState], states: np.ndarray) -> None:
    """Put verdicts in their places; the one of a single event without a list of places, which would take longer than all else here."""
    if len(found) == 1:
        ((row, state),) = found.items()
        states[row] = state
    else:
        states[list(found)] = np.fromiter(found.values(), np.int8, len(found))


class BatchVerdicts:
    """Verdicts on the records of a batch, and what they cost. doubtful: rows of requests that may have been taken.

    codes: a code that is registered is the platform file's word, and is kept as it is whatever the record holds. impersonal:
    places in a record where there is nothing of a person.
    """

    def __init__(
        self, secrets: Sequence[str], codes: Codes, impersonal: Collection[Place] = ()
    ) -> None:
        self.secrets, self._codes, self._impersonal = secrets, codes, impersonal
        self.states: dict[int, RowState] = {}
        self.refusals: dict[int, Refused] = {}
        self.doubtful: set[int] = set()
        self.statuses: Counter[str] = Counter()
        self.receipts: list[str] = []
        self.requests = self.retries = self.ambiguous = 0

    def note(self, batch: Batch, outcome: Delivered | Named | Unlocated) -> None:
        """What an answer says of the records of its request."""
        if isinstance(outcome, Delivered):
            self.states.update(dict.fromkeys(batch.rows, RowState.DELIVERED))
            self.receipts += [outcome.receipt] if outcome.receipt is not None else []
        elif isinstance(outcome, Named):
            self.states.update(
                (batch.rows[position], RowState.DELIVERED) for position in outcome.delivered
            )
            for position, refusal in outcome.refused.items():
                self._refuse(batch, position, refusal)
        elif len(batch) == 1:
            self._refuse(batch, 0, outcome.refusal)

    def without_verdict(self, batch: Batch) -> Batch:
        """The records of a batch that nothing is known of yet."""
        return batch.part(
            [position for position, row in enumerate(batch.rows) if row not in self.states]
        )

    def _refuse(self, batch: Batch, position: int, refusal: Refusal) -> None:
        row, record = batch.rows[position], batch.records[position]
        self.states[row] = RowState.REJECTED
        field = (
            redact_code(refusal.field, record, _LONGEST_FIELD, self._impersonal)
            if refusal.field
            else None
        )
        code = (
            refusal.code
            if refusal.code in self._codes.known
            else redact_code(refusal.code, record, _LONGEST_CODE, self._impersonal)
        )
        self.refusals[row] = Refused(code, redact(refusal.message, record, self.secrets), field)
