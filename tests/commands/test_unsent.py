"""Rows that were too old, or that consent holds back, found again by their hashes."""

from __future__ import annotations

import datetime as dt

import pytest

from connector.commands.rejected import rejected
from connector.commands.sync import sync
from connector.commands.unsent import expired, suppressed
from connector.config.destination import Destination
from tests.conftest import Make
from tests.support.clock import FakeClock
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion


def test_they_are_listed_with_key_place_and_reason(every_state: Destination, duck: DuckDb) -> None:
    [old] = expired(every_state)
    assert (old.key, old.state, old.reason) == (("c000004",), "expired", "expired")
    assert "older than the platform accepts" in str(old.message)
    assert str(old.cursor).endswith("Z")
    [held] = suppressed(every_state, since=ago(minutes=10))
    assert (held.key, held.reason) == (("c000006",), "suppressed")
    assert suppressed(every_state, since=ago(minutes=-10)) == []
    assert suppressed(every_state, reason="expired") == []
    duck.execute("delete from conversions where conversion_id = 'c000004'")
    [gone] = expired(every_state)
    assert (gone.key, gone.cursor) == (None, None)
    assert "no row with this key any more" in str(gone.message)


def test_a_row_that_was_delivered_since_is_listed_no_more(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    project.query("select *, value > 5 as consent from conversions")
    duck.insert(*(conversion(number, value="1.00") for number in range(3)))
    made = duck_destination()
    sync(made)
    assert [row.key for row in suppressed(made)] == [(f"c{number:06d}",) for number in range(3)]
    duck.execute(
        "update conversions set value = 9, updated_at = ? where conversion_id = 'c000001'",
        ago(hours=1),
    )
    sync(made)
    assert [row.key for row in suppressed(made)] == [("c000000",), ("c000002",)]


def test_since_counts_from_the_last_try(
    duck: DuckDb, duck_destination: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(monkeypatch, dt.datetime.now(dt.UTC) - dt.timedelta(days=20))
    duck.insert(conversion(1, email=None, updated_at=clock.ago(days=1)))
    made = duck_destination()
    sync(made)
    clock.advance(days=10)
    duck.insert(conversion(2, email=None, updated_at=clock.ago(days=1)))
    sync(made)
    week = clock.ago(days=7)
    assert [row.key for row in rejected(made, since=week)] == [("c000002",)]
    assert len(rejected(made)) == 2
