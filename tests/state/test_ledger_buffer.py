"""Recent entries of the ledger: they are known before they are in its table,
while they go there, and afterwards.
"""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.model import RowState
from connector.state import ledger
from connector.state import ledger_buffer as recent
from connector.state.ledger import Entry, place_of
from connector.state.ledger_buffer import LedgerBuffer
from connector.state.store import Store
from connector.state.tables import ledger as in_table
from connector.state.tables import recent as not_in_table

DAY = 86_400


class Record(NamedTuple):
    """One transaction: key hashes, each with a state, a cursor and a version."""

    rows: list[tuple[bytes, RowState, str | None, bytes | None]]


class Prune(NamedTuple):
    """Entries of more than so many days ago are forgotten."""

    days: int


# Few halves, so that hashes share one, begin a part, end one, or hold zeros where texts would end.
_HALVES = st.sampled_from(
    [
        bytes(8),
        b"\x0f" + b"\xff" * 7,
        b"\x10" + bytes(7),
        b"\x10" + bytes(6) + b"\x01",
        b"\xff" * 8,
        b"abcd\x00\x00\x00\x00",
    ]
)
HASHES = st.tuples(_HALVES, _HALVES).map(b"".join)
VERSIONS = st.sampled_from([bytes(8), b"version1", b"\xff" * 8])


@st.composite
def records(draw: st.DrawFn) -> Record:
    rows = draw(
        st.lists(
            st.tuples(HASHES, st.sampled_from(RowState), st.sampled_from([None, "1", "2"])),
            min_size=1,
            max_size=6,
        )
    )
    versions: list[bytes | None] = (
        [draw(VERSIONS) for _ in rows] if draw(st.booleans()) else [None] * len(rows)
    )
    return Record([(*row, version) for row, version in zip(rows, versions, strict=True)])


@pytest.fixture
def destination_ids() -> Iterator[int]:
    return itertools.count(1)


class Clock:
    """Stands still until a day is over."""

    now = 1_700_000_000

    def now_us(self) -> int:
        return self.now * 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the ledger takes for the time."""
    clock = Clock()
    monkeypatch.setattr(ledger, "clock", clock)
    return clock


@given(
    st.lists(
        st.one_of(records(), records(), records(), st.builds(Prune, st.integers(0, 5))), max_size=12
    )
)
@example(
    [
        Record([(b"a" * 16, RowState.REJECTED, "1", b"version1")]),
        Record([(b"b" * 16, RowState.DELIVERED, "1", None)]),
    ]
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
def test_the_ledger_knows_the_last_of_each_row_wherever_it_is_kept(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    destination_ids: Iterator[int],
    clock: Clock,
    steps: list[Record | Prune],
) -> None:
    """Beside a plain dictionary: through a reader that was there from the beginning,
    through a new one, and in total.
    """
    monkeypatch.setattr(recent, "GROWN_ROWS", 3)
    number, expected, at = next(destination_ids), dict[bytes, Entry](), dict[bytes, int]()
    reader = LedgerBuffer(number)
    asked = [bytes(16), b"x" * 16]
    for step in steps:
        clock.now += DAY
        if isinstance(step, Record):
            hashes, states, cursors, versions = (
                list(column) for column in zip(*step.rows, strict=True)
            )
            with store.write() as connection:
                ledger.record(
                    connection,
                    number,
                    hashes,
                    states,
                    cursors,
                    None if versions[0] is None else versions,
                )
            for key_hash, state, cursor, version in step.rows:
                expected[key_hash], at[key_hash] = (
                    Entry(state, 0 if cursor is None else place_of(cursor), version),
                    clock.now,
                )
            asked += hashes
        else:
            before = clock.now - step.days * DAY
            with store.write() as connection:
                ledger.prune(connection, number, before)
            stale = [
                each
                for each, entry in expected.items()
                if at[each] < before and entry.state < RowState.AMBIGUOUS_EXPIRED
            ]
            for key_hash in stale:
                del expected[key_hash]
        with store.read() as connection:
            assert ledger.known(connection, number, asked, reader) == {
                each: expected[each] for each in asked if each in expected
            }
            assert ledger.known(connection, number, asked) == {
                each: expected[each] for each in asked if each in expected
            }
            assert ledger.count(connection, number) == Counter(
                entry.state for entry in expected.values()
            )
            assert ledger.is_empty(connection, number) == (not expected)


def test_a_part_that_has_grown_goes_into_the_table_and_the_others_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "GROWN_ROWS", 200)
    hashes = [secrets.token_bytes(16) for _ in range(16 * 150)]
    for start in range(0, len(hashes), 100):
        with store.write() as connection:
            ledger.record(
                connection,
                1,
                hashes[start : start + 100],
                [RowState.DELIVERED] * 100,
                ["1"] * 100,
                None,
            )
    low = [bytes([0]) + secrets.token_bytes(15) for _ in range(200)]
    with store.write() as connection:
        ledger.record(connection, 1, low, [RowState.DELIVERED] * 200, ["1"] * 200, None)
    with store.read() as connection:
        kept = connection.execute(sa.select(in_table.c.key_hash)).scalars().all()
        waiting = set(connection.execute(sa.select(not_in_table.c.part)).scalars())
        assert set(low) <= set(map(bytes, kept))
        assert 0 not in waiting
        assert ledger.count(connection, 1) == {RowState.DELIVERED: len(hashes) + 200}


def test_many_small_transactions_do_not_stay_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "GROWN_CHUNKS", 10)
    for number in range(25):
        with store.write() as connection:
            ledger.record(
                connection, 1, [bytes([0] * 15 + [number])], [RowState.DELIVERED], ["1"], None
            )
    with store.read() as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(not_in_table)).scalar() == 5
        )
        assert connection.execute(sa.select(sa.func.count()).select_from(in_table)).scalar() == 20


def test_entries_of_other_destinations_are_not_mixed_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "GROWN_ROWS", 2)
    shared = [secrets.token_bytes(16) for _ in range(3)]
    with store.write() as connection:
        ledger.record(connection, 1, shared, [RowState.DELIVERED] * 3, ["1"] * 3, None)
        ledger.record(connection, 2, shared[:1], [RowState.REJECTED], ["2"], None)
        assert ledger.known(connection, 2, shared) == {
            shared[0]: Entry(RowState.REJECTED, place_of("2"), None)
        }
        assert set(ledger.known(connection, 1, shared)) == set(shared)
        ledger.prune(connection, 1, 2**31 - 1)
        assert (ledger.is_empty(connection, 1), ledger.count(connection, 2)) == (
            True,
            {RowState.REJECTED: 1},
        )


def test_what_another_process_moved_into_the_table_meanwhile_stays_known(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its number would be given out anew."""
    monkeypatch.setattr(recent, "GROWN_ROWS", 2)
    reader = LedgerBuffer(1)
    keys = [bytes(15) + bytes([number]) for number in range(3)]
    for key_hash in keys:
        with store.write() as connection:
            ledger.record(connection, 1, [key_hash], [RowState.DELIVERED], ["1"], None)
        if key_hash != keys[1]:
            with store.read() as connection:
                assert set(ledger.known(connection, 1, keys, reader)) == set(
                    keys[: keys.index(key_hash) + 1]
                )
