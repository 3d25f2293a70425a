"""The high-water mark and everything that is written with it.

`Recorder.advance` is the heart of the promise: one transaction that checks the fencing token, writes what became of each
row, moves the mark over what is recorded without a gap, and notes which requests leave next.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector import failpoints
from connector.cursor import Mark
from connector.errors import Fenced
from connector.page import Page, Result, SliceKind, State
from connector.state import ledger, quarantine, receipts, runs
from connector.state.insert import insert
from connector.state.lease import Lease, fence
from connector.state.quarantine import Quarantined
from connector.state.store import Store
from connector.state.tables import destination, intent, mark, slices

_PUT_ASIDE = (State.REJECTED, State.AMBIGUOUS_EXPIRED)
_MENDED = (State.DELIVERED, State.EXPIRED, State.SUPPRESSED)


@dataclass(frozen=True)
class Intent:
    """A page that was about to be sent when its run ended. members: key hashes of its rows, in order."""

    slice: int
    page: int
    kind: SliceKind
    after: Mark | None
    upto: Mark
    members: list[bytes]
    batch_size: int
    digest: bytes
    as_of_us: int


class Recorder:
    """Writes the progress of one run. held: the lease that permits it."""

    def __init__(self, store: Store, held: Lease, run_id: str) -> None:
        self._store, self._held, self._run_id = store, held, run_id
        self._destination_id = held.destination_id

    def advance(self, done: Sequence[Result], starting: Sequence[Page]) -> None:
        """Record finished pages and announce the next ones, all in one transaction.

        done: complete results, in order. starting: pages whose requests leave right after this. Raises Fenced or StateError;
        after either, nothing of it is recorded and nothing may be sent.
        """
        failpoints.reach("before_commit")
        with self._store.write() as connection:
            fence(connection, self._held)
            self._record(connection, done)
            self._forget_intents(connection, [result.page for result in done])
            self._finish_pages(connection, [result.page for result in done])
            receipts.keep(connection, self._destination_id, self._run_id, [receipt for result in done for receipt in result.receipts])
            self._count(connection, done, self._move_mark(connection) if any(result.page.kind == "range" for result in done) else None)
            self._announce(connection, [page for page in starting if page.batches])
            failpoints.reach("inside_commit")
        failpoints.reach("after_commit")

    def set_aside(self, unfinished: Sequence[Result]) -> None:
        """At an early end: record the rows that are settled, without moving the mark over the ones that are not.

        An intent stays only where a request may have been taken whose answer is unknown.
        """
        with self._store.write() as connection:
            fence(connection, self._held)
            self._record(connection, unfinished)
            self._forget_intents(connection, [result.page for result in unfinished if not result.open_ambiguous])
            self._count(connection, unfinished, None)

    def _record(self, connection: Connection, results: Sequence[Result]) -> None:
        """Every settled row goes into the ledger, whatever was refused into quarantine, and what was mended leaves it."""
        settled = [result.page if result.states.all() else result.page.only(np.flatnonzero(result.states).tolist()) for result in results]
        states = np.concatenate([result.states for result in results]) if results else np.zeros(0, np.int8)
        ledger.record(
            connection,
            self._destination_id,
            [key_hash for page in settled for key_hash in page.hashes],
            states[states != 0],
            [cursor for page in settled for cursor in page.cursors],
            [version for page in settled for version in page.versions or ()] or None,
        )
        last: dict[bytes, Quarantined | None] = {}
        for result in results:
            last.update((result.page.hashes[row], _quarantined(result, row)) for row in np.flatnonzero(np.isin(result.states, _PUT_ASIDE)).tolist())
            last.update((result.page.hashes[row], None) for row in result.page.again if result.states[row] in _MENDED)
        quarantine.put(connection, self._destination_id, [refused for refused in last.values() if refused is not None])
        quarantine.remove(connection, self._destination_id, [key_hash for key_hash, refused in last.items() if refused is None])

    def _finish_pages(self, connection: Connection, pages: Sequence[Page]) -> None:
        """Pages of new rows move the end of their slice, as far as they follow there: of the pages that a stop cut off, one before may be open.

        The page that closes a slice makes it complete in the same way, after all the others. Of a page that is sent again, the
        slice may be forgotten, because a person put the mark elsewhere.
        """
        for number in {page.slice for page in pages if page.kind == "range"}:
            chosen = sa.and_(slices.c.destination_id == self._destination_id, slices.c.number == number)
            row = connection.execute(sa.select(slices.c.done_cursor, slices.c.done_key).where(chosen)).one_or_none()
            if row is None:
                continue
            done = before = None if row.done_cursor is None else Mark(row.done_cursor, _key(row.done_key))
            values: dict[str, Any] = {}
            for page in pages:
                follows = page.after == done if done is not None else page.number == 0
                if page.slice == number and page.kind == "range" and follows:
                    done = page.upto or done
                    if page.closes:
                        values["complete"] = True
            if done is not None and done != before:
                values |= {"done_cursor": done.cursor, "done_key": _key_text(done)}
            if values:
                connection.execute(slices.update().where(chosen).values(values))

    def _move_mark(self, connection: Connection) -> Mark | None:
        """The mark goes to the end of the first slice that is not complete, and never over a gap."""
        target: Mark | None = None
        chosen = sa.select(slices).where(slices.c.destination_id == self._destination_id).order_by(slices.c.number)
        for row in connection.execute(chosen):
            if row.done_cursor is not None:
                target = Mark(row.done_cursor, _key(row.done_key))
            if not row.complete:
                break
        if target is None:
            return None
        before = connection.execute(sa.select(mark.c.cursor, mark.c.key).where(mark.c.destination_id == self._destination_id)).one()
        unchanged = sa.and_(mark.c.cursor.is_not_distinct_from(before.cursor), mark.c.key.is_not_distinct_from(before.key))
        statement = mark.update().where(mark.c.destination_id == self._destination_id, mark.c.token == self._held.token, unchanged)
        if connection.execute(statement.values(cursor=target.cursor, key=_key_text(target))).rowcount != 1:
            raise Fenced("another run moved the mark; this run records nothing more")
        return target

    def _count(self, connection: Connection, results: Sequence[Result], moved: Mark | None) -> None:
        counts: Counter[str] = Counter()
        tallies: dict[str, Counter[str]] = {"rejected": Counter(), "dropped": Counter(), "status": Counter(), "match": Counter(), "resent": Counter()}
        for result in results:
            _add(counts, tallies, result)
        runs.add(connection, self._run_id, counts, tallies, None if moved is None else moved.cursor)

    def _announce(self, connection: Connection, pages: Sequence[Page]) -> None:
        """Note pages whose requests leave next, all with one statement."""
        self._forget_intents(connection, pages)
        rows: list[dict[str, Any]] = []
        for page in pages:
            failpoints.reach("before_intent")
            assert page.upto is not None, "only a page without rows may have no end"
            rows.append(
                {
                    "destination_id": self._destination_id,
                    "slice": page.slice,
                    "page": page.number,
                    "token": self._held.token,
                    "kind": page.kind,
                    "after_cursor": None if page.after is None else page.after.cursor,
                    "after_key": None if page.after is None else _key_text(page.after),
                    "to_cursor": page.upto.cursor,
                    "to_key": _key_text(page.upto),
                    "members": b"".join(page.hashes),
                    "batch_size": page.batch_size,
                    "digest": page.digest(),
                    "as_of": int(page.as_of.timestamp() * 1_000_000),
                }
            )
        insert(connection, intent, rows)

    def _forget_intents(self, connection: Connection, pages: Sequence[Page]) -> None:
        for number in {page.slice for page in pages}:
            mine = [page.number for page in pages if page.slice == number]
            connection.execute(intent.delete().where(intent.c.destination_id == self._destination_id, intent.c.slice == number, intent.c.page.in_(mine)))


class Unrecorded:
    """Stands in for a Recorder where a run must leave no trace: it counts, and that is all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tallies: dict[str, Counter[str]] = {"rejected": Counter(), "dropped": Counter(), "status": Counter(), "match": Counter(), "resent": Counter()}

    def advance(self, done: Sequence[Result], starting: Sequence[Page]) -> None:
        """Count finished pages."""
        for result in done:
            _add(self.counts, self.tallies, result)

    def set_aside(self, unfinished: Sequence[Result]) -> None:
        """Count what is settled."""
        self.advance(unfinished, ())

    def count_unsent(self, results: Sequence[Result]) -> None:
        """Count rows that would be sent."""
        unsent = sum(int((result.states == 0).sum()) for result in results)
        self.counts["unsent"] += unsent
        self.counts["rows_read"] += unsent


def read_mark(connection: Connection, destination_id: int) -> Mark | None:
    """The high-water mark, or None before the first page."""
    row = connection.execute(sa.select(mark.c.cursor, mark.c.key).where(mark.c.destination_id == destination_id)).one()
    return None if row.cursor is None else Mark(row.cursor, _key(row.key))


def reached(connection: Connection, destination_id: int, number: int) -> Mark | None:
    """Up to where a slice is recorded without a gap; None at its beginning."""
    chosen = sa.and_(slices.c.destination_id == destination_id, slices.c.number == number)
    row = connection.execute(sa.select(slices.c.done_cursor, slices.c.done_key).where(chosen)).one_or_none()
    return None if row is None or row.done_cursor is None else Mark(row.done_cursor, _key(row.done_key))


def looked_behind(connection: Connection, destination_id: int) -> str | None:
    """Where the mark was when a run last looked behind it; None before the first run that had a mark."""
    return connection.execute(sa.select(mark.c.looked).where(mark.c.destination_id == destination_id)).scalar_one()


def begin_to_look(connection: Connection, held: Lease) -> None:
    """Where no run has looked behind the mark yet, lookback counts from where the mark is now, however far it moves until one does."""
    chosen = sa.and_(mark.c.destination_id == held.destination_id, mark.c.looked.is_(None))
    connection.execute(mark.update().where(chosen).values(looked=mark.c.cursor))


def set_looked_behind(connection: Connection, held: Lease, cursor: str) -> None:
    """Everything that was to be found behind a mark with this cursor is recorded."""
    chosen = sa.and_(mark.c.destination_id == held.destination_id, mark.c.token == held.token)
    connection.execute(mark.update().where(chosen).values(looked=cursor))


def set_mark(connection: Connection, held: Lease, where: Mark | None) -> None:
    """Put the mark somewhere else, as a person decided; slices of the old one move it no more."""
    plan_slices(connection, held, [])
    values = {"cursor": None if where is None else where.cursor, "key": None if where is None else _key_text(where), "looked": None}
    connection.execute(mark.update().where(mark.c.destination_id == held.destination_id).values(values))


def plan_slices(connection: Connection, held: Lease, numbers: Sequence[int]) -> None:
    """Begin anew with these slices; what a run before it left is forgotten, because the ledger knows its rows."""
    fence(connection, held)
    connection.execute(slices.delete().where(slices.c.destination_id == held.destination_id))
    insert(connection, slices, [{"destination_id": held.destination_id, "number": number, "token": held.token, "complete": False} for number in numbers])


def intents(connection: Connection, destination_id: int, numbers: Sequence[int] | None = None) -> list[Intent]:
    """Pages that may have been sent before, in order. numbers: of these slices alone."""
    statement = sa.select(intent).where(intent.c.destination_id == destination_id).order_by(intent.c.slice, intent.c.page)
    if numbers is not None:
        statement = statement.where(intent.c.slice.in_(numbers))
    return [
        Intent(
            row.slice,
            row.page,
            row.kind,
            None if row.after_cursor is None else Mark(row.after_cursor, _key(row.after_key)),
            Mark(row.to_cursor, _key(row.to_key)),
            [bytes(row.members[start : start + 16]) for start in range(0, len(row.members), 16)],
            row.batch_size,
            bytes(row.digest),
            row.as_of,
        )
        for row in connection.execute(statement)
    ]


def forget_intent(connection: Connection, held: Lease, found: Intent) -> None:
    """Drop an intent of which nothing is left to settle."""
    fence(connection, held)
    connection.execute(intent.delete().where(intent.c.destination_id == held.destination_id, intent.c.slice == found.slice, intent.c.page == found.page))


def set_not_before(connection: Connection, destination_id: int, moment_us: int | None) -> None:
    """Remember until when the platform wants no requests."""
    connection.execute(destination.update().where(destination.c.id == destination_id).values(not_before=moment_us))


def _quarantined(result: Result, row: int) -> Quarantined:
    page = result.page
    key, refused = page.key(row), result.refusals.get(row)
    if result.states[row] == State.AMBIGUOUS_EXPIRED:
        return Quarantined(page.hashes[row], key, page.cursors[row], "ambiguous_expired", None, None, None, "ambiguous_expired")
    if refused is not None:
        return Quarantined(page.hashes[row], key, page.cursors[row], "platform_rejected", refused.field, refused.code, refused.message)
    _, why = page.own[row]
    assert why is not None
    return Quarantined(page.hashes[row], key, page.cursors[row], why.reason, why.field, None, None)


def _add(counts: Counter[str], tallies: dict[str, Counter[str]], result: Result) -> None:
    page = result.page
    by_state = Counter(result.states.tolist())
    counts["delivered"] += by_state[State.DELIVERED]
    counts["rejected"] += by_state[State.REJECTED]
    counts["expired"] += by_state[State.EXPIRED]
    counts["suppressed"] += by_state[State.SUPPRESSED]
    settled = sum(by_state[state] for state in (State.DELIVERED, State.REJECTED, State.EXPIRED, State.SUPPRESSED))
    counts["rows_read"] += settled
    counts["late"] += settled if page.kind in ("late", "missing") else 0
    counts["changed"] += page.changed if result.complete else 0
    counts["ambiguous"] += result.ambiguous
    counts["http_requests"] += result.requests
    counts["retries"] += result.retries
    for row, (state, why) in page.own.items():
        if state == State.REJECTED and why is not None and result.states[row]:
            tallies["rejected"][why.reason] += 1
    for refused in result.refusals.values():
        tallies["rejected"][f"platform_rejected {refused.code}"] += 1
    tallies["dropped"].update(page.dropped)
    tallies["match"].update(page.matched)
    tallies["status"].update(result.statuses)
    if page.resent is not None and result.requests:
        tallies["resent"][page.resent] += 1


def _key_text(where: Mark) -> str | None:
    return None if where.key is None else json.dumps(where.key)


def _key(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))
