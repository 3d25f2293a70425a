"""The invariants, over the books of three parties:
what the source has, what the platform took, what the state says.

Nothing here knows how the connector works inside, only what it promises.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.chaos.receiver import Call, Entry

DELIVERED, REJECTED, ERASED = 1, 2, 6
CLEAR = ("ok", "refused")
UNHEARD = ("timeout_before", "timeout_after", "slow")
"""Faults that end at the connector's deadline."""


class Row(NamedTuple):
    """A conversion in the source.

    cursor: microseconds; poison: the platform refuses it; invalid: our own rules do.
    """

    cursor: int
    poison: bool
    invalid: bool

    @property
    def good(self) -> bool:
        """Whether it must arrive."""
        return not (self.poison or self.invalid)


class Spell(NamedTuple):
    """A run that did not end in order: unix nanoseconds.

    tries: how often it may have sent a request whose answer it missed.
    """

    began: int
    ended: int
    tries: int = 1


class GivenUp(NamedTuple):
    """A request whose answer did not come in time.

    at: unix nanoseconds; digests: of its records.
    """

    at: int
    digests: frozenset[str]


class Erasure(NamedTuple):
    """A row that a person had erased.

    since: unix nanoseconds from which nothing of it may arrive; None: no run has begun since.
    before: what was recorded of it then, 0 for nothing. refused: how often it had been refused.
    """

    since: int | None
    before: int
    refused: int


class Restore(NamedTuple):
    """An older backup took the state's place.

    at: unix nanoseconds. known: rows that are settled in the backup, and not refused.
    """

    at: int
    known: frozenset[str]


@dataclass
class State:
    """One moment of the state database.

    ledger: row -> state; mark: (cursor, key); runs: id -> columns; quarantine: rows.
    refused: row in quarantine -> how often it was refused.
    """

    ledger: Mapping[str, int]
    mark: tuple[int, str | None] | None
    runs: Mapping[str, Mapping[str, Any]]
    quarantine: Sequence[str]
    intents: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Books:
    """What the three parties wrote down.

    late: rows that may have been committed behind the watermark.
    changed: row -> how often its values changed.
    shown: Dagster run -> metadata.
    page_bound: rows that one unclean run may have sent without recording them.
    batch: events a request carries at most.
    erased: row -> how.
    mended: row that was refused, and is good since -> how often it was refused.
    restores: of the state.
    """

    rows: Mapping[str, Row]
    calls: Sequence[Call]
    entries: Sequence[Entry]
    state: State
    unclean: Sequence[Spell] = ()
    late: set[str] = field(default_factory=set)
    changed: Mapping[str, int] = field(default_factory=dict)
    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    page_bound: int = 0
    batch: int = 1
    given_up: Sequence[GivenUp] = ()
    erased: Mapping[str, Erasure] = field(default_factory=dict)
    mended: Mapping[str, int] = field(default_factory=dict)
    restores: Sequence[Restore] = ()

    @property
    def counted(self) -> Counter[int]:
        """State -> rows of which runs counted it last; of erased rows, what they were before."""
        erased = self.erased.items()
        states = {**self.state.ledger, **{row: erasure.before for row, erasure in erased}}
        return Counter(state for state in states.values() if state)

    @property
    def refusals(self) -> int:
        """How often rows were refused: a row that is tried again is counted again."""
        there = sum(self.state.refused.values())
        erased = sum(each.refused for each in self.erased.values() if each.before == REJECTED)
        left = (row for row in self.mended if row not in self.state.refused)
        mended = sum(
            self.mended[row]
            for row in left
            if row not in self.erased or self.erased[row].before == DELIVERED
        )
        return there + erased + mended

    @property
    def forgotten_copies(self) -> int:
        """Copies of rows whose delivery was recorded in a state that a backup took the place of."""
        last: dict[str, Entry] = {}
        found = 0
        for entry in self.entries:
            before = last.get(entry.row)
            found += before is not None and self.was_forgotten(before, entry)
            last[entry.row] = entry
        return found

    def was_forgotten(self, before: Entry, entry: Entry) -> bool:
        """Whether a backup that knows nothing of a row was restored between two of its copies."""
        return any(
            before.at <= each.at <= entry.at and entry.row not in each.known
            for each in self.restores
        )

    @property
    def extra_copies(self) -> int:
        """Events that arrived again."""
        return len(self.entries) - len({entry.row for entry in self.entries})

    @property
    def ambiguous_requests(self) -> int:
        """Requests whose answer did not say what became of them, or came too late to be heard."""
        unheard = sum(call.fault in UNHEARD for call in self.calls)
        unclear = sum(call.fault not in CLEAR for call in self.calls)
        return unclear + max(0, len(self.given_up) - unheard)

    def was_given_up(self, entry: Entry, until: int) -> bool:
        """Whether the connector left the request of an event at its deadline before a moment."""
        return any(
            entry.at <= each.at <= until and entry.digest in each.digests for each in self.given_up
        )


def violations(books: Books, *, final: bool) -> list[str]:
    """Everything that is wrong, each as `what: which`; final: nothing waits any more."""
    found = [
        *_identity(books),
        *_mark(books),
        *_counts(books),
        *_quarantine(books),
        *_erased(books),
        *_copies(books),
    ]
    return found + list(_settled(books)) if final else found


def _settled(books: Books) -> Iterator[str]:
    """Nothing good is missing, and every row has exactly one state."""
    arrived = {entry.row for entry in books.entries}
    owed = {key: row for key, row in books.rows.items() if key not in books.erased}
    lost = sorted(key for key, row in owed.items() if row.good and key not in arrived)
    if lost:
        yield f"lost: {len(lost)} good rows never arrived, such as {lost[:3]}"
    open_rows = sorted(books.rows.keys() - books.state.ledger.keys())
    if open_rows:
        yield f"unrecorded: {len(open_rows)} rows have no state, such as {open_rows[:3]}"
    missing = sorted(
        key for key, row in owed.items() if not row.good and key not in books.state.quarantine
    )
    if missing:
        yield f"quarantine: {len(missing)} bad rows are not there, such as {missing[:3]}"
    if books.state.intents:
        yield f"intents: {books.state.intents} pages are still announced"
    delivered = sum(state == DELIVERED for state in books.state.ledger.values())
    known = arrived - books.erased.keys()
    if delivered != len(known):
        yield f"counts: {delivered} delivered in the ledger, {len(known)} at the platform"


def _identity(books: Books) -> Iterator[str]:
    """Every copy of a row carries the same id and the same bytes, and no id is shared."""
    ids: dict[str, set[str]] = defaultdict(set)
    rows: dict[str, set[str]] = defaultdict(set)
    contents: dict[str, set[str]] = defaultdict(set)
    for entry in books.entries:
        ids[entry.row].add(entry.event_id)
        rows[entry.event_id].add(entry.row)
        contents[entry.row].add(entry.digest)
    several = sorted(row for row, found in ids.items() if len(found) > 1)
    if several:
        yield f"ids: {len(several)} rows arrived under several ids, such as {several[:3]}"
    shared = sorted(event_id for event_id, found in rows.items() if len(found) > 1)
    if shared:
        yield f"ids: {len(shared)} ids are shared by several rows"
    differing = sorted(
        row for row, found in contents.items() if len(found) > 1 + books.changed.get(row, 0)
    )
    if differing:
        yield f"bytes: {len(differing)} rows arrived with different bytes, such as {differing[:3]}"


def _mark(books: Books) -> Iterator[str]:
    """The mark never passes a row that has no record."""
    if books.state.mark is None:
        return
    cursor, key = books.state.mark
    passed = [
        name
        for name, row in books.rows.items()
        if (row.cursor < cursor or (row.cursor == cursor and key is not None and name <= key))
        and name not in books.state.ledger
        and name not in books.late
    ]
    if passed:
        yield f"mark: it passed {len(passed)} rows without a record, such as {sorted(passed)[:3]}"


def _counts(books: Books) -> Iterator[str]:
    """Runs, ledger, platform and Dagster agree, at every moment."""
    arrived = {entry.row for entry in books.entries}
    counted = books.counted
    again = books.refusals - counted[REJECTED]
    for name, recorded in (
        ("delivered", counted[DELIVERED]),
        ("rejected", books.refusals),
        ("rows_read", counted.total() + again),
    ):
        if recorded != _total(books, name):
            yield f"counts: runs say {_total(books, name)} {name}, the ledger {recorded}"
    invented = sorted(
        key
        for key, state in books.state.ledger.items()
        if state == DELIVERED and key not in arrived
    )
    if invented:
        yield (
            f"invented: {len(invented)} rows are recorded as delivered and never arrived, such "
            f"as {invented[:3]}"
        )
    for run_id, metadata in books.shown.items():
        run = books.state.runs.get(run_id, {})
        differing = [
            name
            for name in ("rows_read", "delivered", "rejected", "late", "http_requests")
            if name in metadata and metadata[name] != run.get(name)
        ]
        if differing:
            yield (
                f"counts: Dagster shows other {', '.join(differing)} than the state for run "
                f"{run_id}"
            )


def _quarantine(books: Books) -> Iterator[str]:
    """Bad rows alone are there, each once."""
    again = [key for key, number in Counter(books.state.quarantine).items() if number > 1]
    if again:
        yield f"quarantine: {len(again)} rows are there more than once"
    wronged = sorted(
        key
        for key in books.state.quarantine
        if key in books.rows and books.rows[key].good and key not in books.mended
    )
    if wronged:
        yield f"quarantine: {len(wronged)} good rows are there, such as {wronged[:3]}"
    rejected = {key for key, state in books.state.ledger.items() if state == REJECTED}
    if rejected != set(books.state.quarantine):
        yield (
            f"quarantine: it has {len(books.state.quarantine)} rows, the ledger {len(rejected)} "
            "rejected ones"
        )
    taken = sorted(
        {
            entry.row
            for entry in books.entries
            if entry.row in books.rows and not books.rows[entry.row].good
        }
    )
    if taken:
        yield f"quarantine: {len(taken)} bad rows arrived"


def _erased(books: Books) -> Iterator[str]:
    """An erased row stays erased, and nothing of it arrives any more."""
    undone = sorted(row for row in books.erased if books.state.ledger.get(row) != ERASED)
    if undone:
        yield f"erased: {len(undone)} rows are not erased any more, such as {undone[:3]}"
    since = {row: each.since for row, each in books.erased.items() if each.since is not None}
    sent = sorted({each.row for each in books.entries if each.at > since.get(each.row, each.at)})
    if sent:
        yield f"erased: {len(sent)} erased rows arrived, such as {sent[:3]}"


def _copies(books: Books) -> Iterator[str]:
    """Every copy beyond the first has a reason: a bad answer before it, or one that came too late,
    or a run that did not end in order.

    A batch whose parts met different fates is sent again as it was, so a bad answer to one request
    excuses copies of its neighbours; where a request carries one event it does not.
    """
    bad = sorted(
        [call.at for call in books.calls if call.fault not in CLEAR]
        + [each.at for each in books.given_up]
    )
    last: dict[str, Entry] = {}
    unexplained = 0
    for entry in books.entries:
        before = last.get(entry.row)
        if (
            before is not None
            and before.fault == "ok"
            and not books.was_given_up(before, entry.at)
            and not books.was_forgotten(before, entry)
            and not any(spell.began <= before.at <= spell.ended for spell in books.unclean)
        ):
            unexplained += books.batch == 1 or bisect.bisect(bad, entry.at) == bisect.bisect(
                bad, before.at
            )
        last[entry.row] = entry
    if unexplained:
        yield f"copies: {unexplained} copies were sent without need"
    bound = (
        books.ambiguous_requests * books.batch
        + sum(spell.tries for spell in books.unclean) * books.page_bound
        + books.forgotten_copies
    )
    if books.extra_copies > bound:
        yield (
            f"copies: {books.extra_copies} extra copies, more than {books.ambiguous_requests} "
            f"ambiguous requests and {len(books.unclean)} unclean runs explain"
        )


def _total(books: Books, name: str) -> int:
    return sum(int(run[name]) for run in books.state.runs.values())
