"""What only a person can decide."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.commands.reconcile import reconcile
from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.resolve import accept_changes, put_watermark, settle_ambiguous
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError, StateMismatch
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion


def reasons(destination: Destination) -> dict[Any, str]:
    """Quarantined rows, key -> reason."""
    return {row.to_json()["key"]: row.reason for row in rejected(destination)}


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.inbox.arrivals.values())


@pytest.fixture
def undecided(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> Destination:
    """A destination whose last run was killed,
    and whose platform no longer knows which of its requests it took.
    """
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination(overrides={"dedupe_window": "0s"})
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_send:3").code < 0
    assert receiver.inbox.summary()["events"] >= 3
    report = sync(made)
    assert (report.delivered, report.complete) == (0, True)
    assert (status(made).ambiguous_expired, status(made).recorded) == (6, {"ambiguous_expired": 6})
    return made


def test_rows_whose_delivery_stayed_unknown_wait_for_a_person(
    undecided: Destination, receiver: Receiver
) -> None:
    before = receiver.inbox.summary()["requests"]
    assert (
        sync(undecided).rows_read,
        replay(undecided).rows_read,
        reconcile(undecided).missing,
    ) == (0, 0, 0)
    assert receiver.inbox.summary()["requests"] == before
    assert {(row.reason, row.state) for row in rejected(undecided)} == {
        ("ambiguous_expired", "ambiguous_expired")
    }


def test_a_person_says_that_they_were_delivered(undecided: Destination, receiver: Receiver) -> None:
    before = receiver.inbox.summary()["requests"]
    assert settle_ambiguous(undecided, "delivered") == 6
    assert (
        status(undecided).recorded,
        status(undecided).ambiguous_expired,
        rejected(undecided),
    ) == ({"delivered": 6}, 0, [])
    assert (sync(undecided).rows_read, replay(undecided).rows_read) == (0, 0)
    assert receiver.inbox.summary()["requests"] == before
    assert settle_ambiguous(undecided, "delivered") == 0


def test_a_person_says_that_they_are_to_be_sent_again(
    undecided: Destination, receiver: Receiver
) -> None:
    assert settle_ambiguous(undecided, "resend") == 6
    assert set(reasons(undecided).values()) == {"ambiguous_resend"}
    assert (sync(undecided).rows_read, replay(undecided).delivered) == (0, 6)
    assert (status(undecided).recorded, rejected(undecided)) == ({"delivered": 6}, [])
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (6, 0)


def test_a_changed_zone_is_refused_until_a_person_accepts_it(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    changed = duck_destination(source__time_zone="Europe/Berlin")
    with pytest.raises(StateMismatch, match="source.time_zone changed since the last run"):
        sync(changed)
    assert status(changed).runs[0]["status"] == "refused"
    assert accept_changes(changed) == ["source.time_zone"]
    assert accept_changes(changed) == []
    assert sync(changed).rows_read == 0


def test_another_key_cannot_be_accepted_but_the_destination_can_begin_anew(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Rows are known by their key; under another one all that lookback reads would be sent"""
    duck.insert(conversion(1, order_id="o1"), conversion(2, order_id="o2"))
    sync(duck_destination(source__lag="0s"))
    changed = duck_destination(source__lag="0s", source__key=["order_id", "conversion_id"])
    with pytest.raises(StateMismatch, match="source.key changed since the last run"):
        sync(changed)
    with pytest.raises(ConfigError, match="Put the old key back"):
        accept_changes(changed)
    assert status(changed).mark is not None
    put_watermark(changed, "now")
    duck.insert(conversion(3, order_id="o3", updated_at=dt.datetime.now(dt.UTC)))
    assert sync(changed).delivered == 1
    assert copies(receiver) == [1, 1, 1]


@pytest.mark.parametrize("start", ["all", "now", "a time"])
def test_a_restart_moves_the_mark_and_the_ledger_still_knows_what_was_delivered(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, start: str
) -> None:
    duck.insert(conversion(1, updated_at=ago(days=3)), conversion(2, updated_at=ago(days=1)))
    made = duck_destination(source__lag="0s")
    sync(made)
    where = ago(days=2).isoformat() if start == "a time" else start
    mark = put_watermark(made, where)
    assert (mark is None) == (start == "all")
    assert status(made).mark == mark
    assert sync(made).rows_read == 0
    assert copies(receiver) == [1, 1]


def test_what_a_killed_run_left_is_sent_again_although_the_mark_was_put_elsewhere(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """The slice that its pages belonged to is gone with the old mark."""
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination()
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_send:3").code < 0
    put_watermark(made, "all")
    report = sync(made)
    assert (report.failure, report.delivered, status(made).recorded) == (None, 6, {"delivered": 6})


def test_a_restart_after_the_state_was_lost_lets_the_destination_begin_anew(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    for file in (project.root / ".capi").glob("state.db*"):
        file.unlink()
    with pytest.raises(StateMismatch, match="its state is gone"):
        sync(made)
    put_watermark(made, "now")
    assert sync(made).rows_read == 0


def test_a_restart_at_no_time_at_all_is_a_sentence(duck_destination: Make) -> None:
    with pytest.raises(ConfigError, match="start must be all, now, or a timestamp"):
        put_watermark(duck_destination(), "yesterday")
