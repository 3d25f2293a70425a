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
from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.engine.retention import KEEP_RUNS, prune
from connector.model import Mark, RowState
from connector.state import ledger, watermark
from connector.state.lease import acquire, release
from connector.state.ledger import Entry, place_of
from connector.state.store import Store
from connector.state.tables import destination as destinations
from tests.conftest import Make
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


def move_mark(made: Destination, span: dt.timedelta) -> None:
    """The mark as later runs would have moved it."""
    with open_context(made) as session:
        where = Mark((session.clock() + span).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), ("c000099",))
        with session.store.write() as connection:
            held = acquire(connection, session.destination_id, "a later run")
            watermark.put(connection, held, where)
            release(connection, held)


def forget_after(made: Destination, span: dt.timedelta) -> None:
    """Prune as a run would that ends a span from now."""
    now = dt.datetime.now(dt.UTC) + span
    with open_context(made, clock=lambda: now) as session:
        prune(session)


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({"privacy__retention": "30d", "source__lookback": "1h"}, 29),
        ({"privacy__retention": "1d", "source__lookback": "60d"}, 40),
        (
            {
                "privacy__retention": "1d",
                "source__lookback": "1h",
                "overrides": {"windows": {"max_age": "60d"}},
            },
            59,
        ),
    ],
)
def test_nothing_is_forgotten_that_retention_lookback_or_the_age_window_need(
    old_rows: Make, changes: dict[str, object], days: int
) -> None:
    made = old_rows(**changes)
    sync(made)
    move_mark(made, dt.timedelta(days=days))
    forget_after(made, dt.timedelta(days=days))
    assert (status(made).recorded, status(made).quarantine) == (
        {"delivered": 5, "rejected": 1},
        {"no_identity": 1},
    )


def test_entries_are_forgotten_when_nothing_needs_them_any_more(old_rows: Make) -> None:
    """The mark has moved on, so lookback does not reach them either."""
    made = old_rows(privacy__retention="1d", source__lookback="1h")
    sync(made)
    erase(made, key=("c000003",))
    move_mark(made, dt.timedelta(days=40))
    forget_after(made, dt.timedelta(days=40))
    found = status(made)
    assert (found.recorded, found.quarantine) == ({"erased": 1}, {})
    assert found.runs, "runs are kept longer"
    assert dt.timedelta(days=40) < KEEP_RUNS


def test_pruning_happens_once_a_day(old_rows: Make) -> None:
    made = old_rows()
    sync(made)
    with open_context(made) as session, session.store.read() as connection:
        assert connection.execute(destinations.select()).one().pruned_at is not None
