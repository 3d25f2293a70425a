"""The ledger: what it knows, what it costs, and what it may forget."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from connector.commands.erase import erase
from connector.commands.status import status
from connector.commands.sync import sync
from connector.engine.context import open_context
from connector.engine.retention import KEEP_RUNS
from connector.model import RowState
from connector.state import ledger, registry
from connector.state.clock import microseconds_of
from connector.state.ledger import Entry, place_of
from connector.state.store import Store
from tests.conftest import Make
from tests.support.clock import FakeClock
from tests.support.warehouses import DuckDb, conversion

MANY = 100_000


def hashes(number: int) -> list[bytes]:
    return [secrets.token_bytes(16) for _ in range(number)]


def test_what_was_recorded_is_known_and_nothing_else(store: Store) -> None:
    keys = hashes(12_000)
    with store.write() as connection:
        ledger.record(
            connection, 1, keys[:6_000], [RowState.DELIVERED] * 6_000, ["2026-01-01"] * 6_000, None
        )
    with store.read() as connection:
        assert ledger.known(connection, 1, keys) == dict.fromkeys(
            keys[:6_000], Entry(RowState.DELIVERED, place_of("2026-01-01"), None)
        )
        assert ledger.known(connection, 2, keys) == {}
        assert (ledger.is_empty(connection, 1), ledger.is_empty(connection, 2)) == (False, True)
        assert ledger.count(connection, 1) == {RowState.DELIVERED: 6_000}


def test_a_row_takes_its_new_state_place_and_version(store: Store) -> None:
    [key] = hashes(1)
    with store.write() as connection:
        ledger.record(connection, 1, [key], [RowState.REJECTED], ["1"], [b"the old "])
        ledger.record(connection, 1, [key], [RowState.DELIVERED], ["2"], [b"the new "])
        assert ledger.known(connection, 1, [key]) == {
            key: Entry(RowState.DELIVERED, place_of("2"), b"the new ")
        }


def test_of_a_row_that_is_recorded_twice_at_once_the_last_counts(store: Store) -> None:
    first, second = hashes(2)
    with store.write() as connection:
        ledger.record(
            connection,
            1,
            [first, second, first],
            [RowState.REJECTED, RowState.EXPIRED, RowState.DELIVERED],
            ["1", "2", "3"],
            None,
        )
        known = ledger.known(connection, 1, [first, second])
    assert known == {
        first: Entry(RowState.DELIVERED, place_of("3"), None),
        second: Entry(RowState.EXPIRED, place_of("2"), None),
    }


@given(st.text(max_size=40))
def test_a_place_fits_every_database(cursor: str) -> None:
    assert 0 <= place_of(cursor) < 2**31


def test_a_row_costs_at_most_fifty_bytes_in_sqlite(tmp_path: Path) -> None:
    """Written as a run writes it: page by page, keys in no order."""
    store = Store.open(URL.create("sqlite", database=str(tmp_path / "state.db")))
    with store.read() as connection:
        size = int(connection.exec_driver_sql("pragma page_size").scalar_one())
        before = int(connection.exec_driver_sql("pragma page_count").scalar_one())
    for _ in range(MANY // 1_000):
        with store.write() as connection:
            ledger.record(
                connection,
                1,
                hashes(1_000),
                [RowState.DELIVERED] * 1_000,
                ["2026-11-24T12:00:00.000000Z"] * 1_000,
                None,
            )
    with store.read() as connection:
        after = int(connection.exec_driver_sql("pragma page_count").scalar_one())
    store.close()
    cost = (after - before) * size / MANY
    print(f"\n{cost:.1f} bytes a row")
    assert cost <= 50


@pytest.fixture
def old_rows(duck_destination: Make, duck: DuckDb) -> Make:
    """Rows of a day ago, delivered, one refused, one erased by hand."""
    duck.insert(*(conversion(number) for number in range(5)), conversion(6, email=None))
    return duck_destination


def test_entries_are_forgotten_when_nothing_needs_them_any_more(
    old_rows: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased rows are not, and runs are kept longer."""
    clock = FakeClock(monkeypatch, dt.datetime.now(dt.UTC))
    made = old_rows(privacy={"retention": "1d", "ledger_retention": "1d"}, source__lookback="1h")
    sync(made)
    erase(made, key=("c000003",))
    clock.advance(days=40)
    duck.insert(conversion(9, updated_at=clock.ago(hours=1), event_time=clock.ago(hours=1)))
    sync(made)
    clock.advance(days=2)
    sync(made)
    found = status(made)
    assert (found.recorded, found.quarantine) == ({"erased": 1, "delivered": 1}, {})
    assert len(found.runs) == 3
    assert dt.timedelta(days=42) < KEEP_RUNS


def test_pruning_happens_once_a_day(old_rows: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(monkeypatch, dt.datetime.now(dt.UTC))
    made = old_rows()
    pruned = []
    for hours in (0, 23, 2):
        clock.advance(hours=hours)
        sync(made)
        with open_context(made) as session, session.store.read() as connection:
            pruned.append(registry.pruned_at(connection, session.destination_id))
    assert pruned[0] == pruned[1]
    assert pruned[2] == microseconds_of(clock.now)
