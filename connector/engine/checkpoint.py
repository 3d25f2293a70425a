"""The checkpoint: one transaction that records what became of pages and moves the watermark.

`Checkpointer.advance` is the heart of the promise: it checks the fencing token, writes what became
of each row, moves the watermark over what is recorded without a gap, and announces which requests
leave next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sqlalchemy.engine import Connection

from connector.engine import failpoints
from connector.engine.audit import AuditTrail
from connector.engine.page_builder import BEYOND_LEDGER
from connector.model import Mark, Page, PageResult, RowState
from connector.state import intents, ledger, quarantine, receipts, runs, slice_progress, watermark
from connector.state.clock import microseconds_of
from connector.state.intents import Intent
from connector.state.lease import Lease, fence
from connector.state.quarantine import Quarantined
from connector.state.store import Store

_QUARANTINED = (RowState.REJECTED, RowState.AMBIGUOUS_EXPIRED)
_SETTLED = (RowState.DELIVERED, RowState.EXPIRED, RowState.SUPPRESSED)


class Checkpointer:
    """Writes the progress of one run."""

    def __init__(
        self,
        store: Store,
        held: Lease,
        run_id: str,
        on_commit: Callable[[Counter[str]], None] | None = None,
        audit: AuditTrail | None = None,
    ) -> None:
        """For one run.

        Args:
            store: The state database.
            held: The lease that permits to record.
            run_id: The run that counts what is recorded.
            on_commit: Called with the counts of each commit.
            audit: Puts down what became of each row, where the destination wants that.
        """
        self._store, self._held, self._run_id = store, held, run_id
        self._on_commit, self._audit = on_commit, audit
        self._destination_id = held.destination_id

    def advance(self, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        """Record finished pages and announce the next ones, all in one transaction.

        Args:
            done: Complete results, in order.
            starting: Pages whose requests leave right after this.

        Raises:
            Fenced, StateError: Nothing of it is recorded, and nothing more may be sent.
        """
        failpoints.reach("before_commit")
        with self._store.write() as connection:
            fence(connection, self._held)
            self._record(connection, done)
            sending = [page for page in starting if page.batches]
            replaced = [*(result.page for result in done), *sending]
            intents.forget(
                connection, self._destination_id, [(page.slice, page.number) for page in replaced]
            )
            self._finish_pages(connection, [result.page for result in done])
            receipts.keep(
                connection,
                self._destination_id,
                self._run_id,
                [receipt for result in done for receipt in result.receipts],
            )
            counts = self._count(
                connection,
                done,
                watermark.advance(connection, self._held)
                if any(result.page.kind == "range" for result in done)
                else None,
            )
            intents.announce(connection, self._held, [_intent(page) for page in sending])
            failpoints.reach("inside_commit")
        failpoints.reach("after_commit")
        self._tell(counts)

    def record_unfinished(self, unfinished: Sequence[PageResult]) -> None:
        """At an early end: record the rows that are settled; the watermark stays before the others.

        An intent stays only where a request may have been taken whose answer is unknown.
        """
        with self._store.write() as connection:
            fence(connection, self._held)
            self._record(connection, unfinished)
            intents.forget(
                connection,
                self._destination_id,
                _numbers([result for result in unfinished if not result.open_ambiguous]),
            )
            for result in unfinished:
                if result.open_ambiguous:
                    page = result.page
                    settled = (result.states != 0).tolist()
                    intents.set_settled(
                        connection, self._destination_id, (page.slice, page.number), settled
                    )
            counts = self._count(connection, unfinished, None)
        self._tell(counts)

    def record_lost(self, result: PageResult) -> None:
        """Record rows of an open page that can be asked about no more; the page stays open."""
        with self._store.write() as connection:
            fence(connection, self._held)
            self._record(connection, [result])
            counts = self._count(connection, [result], None)
        self._tell(counts)

    def _tell(self, counts: Counter[str]) -> None:
        if self._on_commit is not None:
            self._on_commit(counts)

    def _record(self, connection: Connection, results: Sequence[PageResult]) -> None:
        """Settled rows go into the ledger, refused ones into quarantine; mended ones leave it."""
        settled = [
            result.page
            if result.states.all()
            else result.page.only(np.flatnonzero(result.states).tolist())
            for result in results
        ]
        states = (
            np.concatenate([result.states for result in results])
            if results
            else np.zeros(0, np.int8)
        )
        ledger.record(
            connection,
            self._destination_id,
            [key_hash for page in settled for key_hash in page.hashes],
            states[states != 0],
            [cursor for page in settled for cursor in page.cursors],
            [version for page in settled for version in page.versions or ()] or None,
        )
        quarantined: dict[bytes, Quarantined | None] = {}
        for result in results:
            quarantined.update(_quarantine_changes(result))
        quarantine.put(
            connection,
            self._destination_id,
            [refused for refused in quarantined.values() if refused is not None],
        )
        if self._audit is not None:
            self._audit.put(connection, results)
        quarantine.remove(
            connection,
            self._destination_id,
            [key_hash for key_hash, refused in quarantined.items() if refused is None],
        )

    def _finish_pages(self, connection: Connection, pages: Sequence[Page]) -> None:
        """Pages of new rows move the end of their slice."""
        for number in {page.slice for page in pages if page.kind == "range"}:
            steps = [
                slice_progress.Step(page.number, page.after, page.upto, page.closes)
                for page in pages
                if page.slice == number and page.kind == "range"
            ]
            slice_progress.advance(connection, self._destination_id, number, steps)

    def _count(
        self, connection: Connection, results: Sequence[PageResult], moved: Mark | None
    ) -> Counter[str]:
        counts: Counter[str] = Counter()
        tallies = _no_tallies()
        for result in results:
            _add(counts, tallies, result)
        runs.add(connection, self._run_id, counts, tallies, None if moved is None else moved.cursor)
        return counts


class NullCheckpointer:
    """Stands in for a Checkpointer where a run must leave no trace: it counts, and that is all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tallies = _no_tallies()

    def advance(self, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        """Count finished pages."""
        for result in done:
            _add(self.counts, self.tallies, result)

    def record_unfinished(self, unfinished: Sequence[PageResult]) -> None:
        """Count what is settled."""
        self.advance(unfinished, ())

    def count_unsent(self, results: Sequence[PageResult]) -> None:
        """Count rows that would be sent."""
        unsent = sum(int((result.states == 0).sum()) for result in results)
        self.counts["unsent"] += unsent
        self.counts["rows_read"] += unsent


def _quarantine_changes(result: PageResult) -> Iterator[tuple[bytes, Quarantined | None]]:
    """Key hash -> how a row stands in quarantine from now on; None: it leaves it."""
    page = result.page
    unproven = {row for row, (_, why) in page.own.items() if why == BEYOND_LEDGER}
    for row in np.flatnonzero(np.isin(result.states, _QUARANTINED)).tolist():
        yield page.hashes[row], _quarantined(result, row)
    for row in unproven:
        yield page.hashes[row], _quarantined(result, row)
    is_retry = page.kind == "replay" or page.resent is not None
    may_be_there = range(len(page)) if is_retry else page.prior
    for row in may_be_there:
        if row not in unproven and result.states[row] in _SETTLED:
            yield page.hashes[row], None


def _quarantined(result: PageResult, row: int) -> Quarantined:
    page = result.page
    refused, (_, why) = result.refusals.get(row), page.own.get(row, (None, None))
    reason, state = "ambiguous_expired", "ambiguous_expired"
    field = code = message = None
    if result.states[row] != RowState.AMBIGUOUS_EXPIRED:
        if refused is not None:
            reason, field = "platform_rejected", refused.field
            code, message = refused.code, refused.message
        else:
            assert why is not None
            reason, field = why
        state = "expired" if result.states[row] == RowState.EXPIRED else "rejected"
    return Quarantined(
        page.hashes[row], page.key(row), page.cursors[row], reason, field, code, message, state
    )


def _no_tallies() -> dict[str, Counter[str]]:
    kinds = ("rejected", "expired", "dropped", "status", "match", "resent")
    return {kind: Counter() for kind in kinds}


def _add(counts: Counter[str], tallies: dict[str, Counter[str]], result: PageResult) -> None:
    page = result.page
    by_state = Counter(result.states.tolist())
    counts["delivered"] += by_state[RowState.DELIVERED]
    counts["rejected"] += by_state[RowState.REJECTED]
    counts["expired"] += by_state[RowState.EXPIRED]
    counts["suppressed"] += by_state[RowState.SUPPRESSED]
    settled = sum(
        by_state[state]
        for state in (RowState.DELIVERED, RowState.REJECTED, RowState.EXPIRED, RowState.SUPPRESSED)
    )
    counts["rows_read"] += settled
    counts["late"] += settled if page.kind in ("late", "missing") else 0
    counts["changed"] += page.changed if result.complete else 0
    counts["ambiguous"] += result.ambiguous
    counts["http_requests"] += result.requests
    counts["retries"] += result.retries
    for row, (state, why) in page.own.items():
        if why is not None and result.states[row]:
            kind = "rejected" if state == RowState.REJECTED else "expired"
            tallies[kind][why.reason] += 1
    for refused in result.refusals.values():
        tallies["rejected"][f"platform_rejected {refused.code}"] += 1
    tallies["dropped"].update(page.dropped)
    tallies["match"].update(page.matched)
    tallies["status"].update(result.statuses)
    if page.resent is not None and result.requests:
        tallies["resent"][page.resent] += 1


def _intent(page: Page) -> Intent:
    failpoints.reach("before_intent")
    assert page.upto is not None, "only a page without rows may have no end"
    sent = {row for batch in page.batches for row in batch.rows}
    sent |= {row for row, (state, _) in page.own.items() if state == RowState.AMBIGUOUS_EXPIRED}
    return Intent(
        page.slice,
        page.number,
        page.kind,
        page.after,
        page.upto,
        page.hashes,
        bytes(
            page.prior.get(row, 0) if row in sent else intents.NOT_SENT for row in range(len(page))
        ),
        page.batch_size,
        page.digest(),
        microseconds_of(page.as_of),
    )


def _numbers(results: Sequence[PageResult]) -> list[tuple[int, int]]:
    return [(result.page.slice, result.page.number) for result in results]
