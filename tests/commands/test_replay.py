"""Quarantined rows, tried again by today's rules."""

from __future__ import annotations

import datetime as dt
from typing import Any

from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state.quarantine import ATTEMPTS_UNTIL_DEAD
from tests.conftest import Make
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion


def reasons(destination: Destination) -> dict[Any, str]:
    """Quarantined rows, key -> reason."""
    return {row.to_json()["key"]: row.reason for row in rejected(destination)}


def latest(receiver: Receiver) -> dict[str, Any]:
    """The event that arrived last."""
    return receiver.inbox.latest[0]["event"]


def test_a_mended_row_is_read_again_with_its_money_times_and_nulls(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    """The quarantine keeps a pointer alone, so nothing can be lost on the way into it and back."""
    moment = ago(days=1).replace(microsecond=123_456)
    warehouse.insert(
        conversion(
            1, email=None, value="1234567.89", event_time=moment, order_id=None, user_agent=None
        ),
        conversion(2),
    )
    made = destination()
    assert (sync(made).rejected, reasons(made)) == (1, {"c000001": "no_identity"})
    warehouse.execute(
        "update conversions set email = 'mended@shop.example.org' where conversion_id = 'c000001'"
    )
    report = replay(made)
    assert (report.rows_read, report.delivered, report.rejected, report.late) == (1, 1, 0, 0)
    event = latest(receiver)
    assert (event["value"], event["currency"], "order_id" in event, "user_agent" in event) == (
        1234567.89,
        "USD",
        False,
        False,
    )
    assert dt.datetime.fromisoformat(event["timestamp"]).replace(microsecond=0) == moment.replace(
        microsecond=0
    )
    assert (rejected(made), status(made).recorded, sync(made).rows_read) == (
        [],
        {"delivered": 2},
        0,
    )
    assert report.mark_from == report.mark_to == status(made).mark


def test_replay_takes_one_reason_or_one_key(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1, email=None), conversion(2, email=None), conversion(3, value="-1.00"))
    made = duck_destination()
    sync(made)
    duck.execute(
        "update conversions set email = 'mended' || conversion_id || '@shop.example.org', value = 5"
    )
    assert replay(made, reason="bad_value").delivered == 1
    assert reasons(made) == {"c000001": "no_identity", "c000002": "no_identity"}
    assert replay(made, key=("c000002",)).delivered == 1
    assert reasons(made) == {"c000001": "no_identity"}
    assert replay(made, reason="bad_email").rows_read == 0
    assert receiver.inbox.summary()["events"] == 2


def test_a_row_that_the_platform_refused_is_sent_again_under_the_same_id(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    receiver.script.add(
        Fault(status=400, take=True, body={"error": {"code": "E7", "message": "no such product"}})
    )
    made = duck_destination()
    assert sync(made).rejected == 1
    assert replay(made).delivered == 1
    assert (receiver.inbox.summary()["duplicates"], receiver.inbox.summary()["conflicts"]) == (
        1,
        0,
    )


def test_a_row_that_is_refused_again_and_again_is_dead_until_a_person_names_it(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    attempts = []
    while replay(made).rows_read:
        [row] = rejected(made)
        attempts.append((row.attempts, row.state))
    assert attempts == [
        *((number, "rejected") for number in range(2, ATTEMPTS_UNTIL_DEAD)),
        (ATTEMPTS_UNTIL_DEAD, "dead"),
    ]
    assert status(made).dead == 1
    duck.execute(
        "update conversions set email = 'mended@shop.example.org' where conversion_id = 'c000002'"
    )
    assert replay(made).rows_read == 0
    assert replay(made, key=("c000002",)).delivered == 1
    assert (rejected(made), status(made).dead) == ([], 0)


def test_a_row_that_comes_back_mended_needs_no_replay(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    duck.execute(
        (
            "update conversions set email = 'mended@shop.example.org', updated_at = ? where "
            "conversion_id = 'c000002'"
        ),
        ago(hours=1),
    )
    report = sync(made)
    assert (report.delivered, report.changed, rejected(made)) == (1, 0, [])


def test_a_row_that_is_gone_from_the_warehouse_is_dead(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    duck.execute("delete from conversions where conversion_id = 'c000002'")
    assert replay(made).rows_read == 0
    [row] = rejected(made)
    assert (row.key, row.reason, row.state) == (("c000002",), "row_gone", "dead")


def test_a_row_whose_key_is_personal_is_found_again_by_its_hash(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    moment = ago(hours=2)
    warehouse.insert(
        *(
            conversion(number, updated_at=moment, value="-1.00" if number == 2 else "5.00")
            for number in range(4)
        )
    )
    made = destination(source__key="email")
    assert sync(made).rejected == 1
    assert reasons(made) == {None: "bad_value"}
    warehouse.execute("update conversions set value = 5")
    assert replay(made).delivered == 1
    assert (rejected(made), receiver.inbox.summary()["events"]) == ([], 4)


def test_one_row_is_replayed_by_a_key_that_is_not_stored(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1, value="-1"), conversion(2, value="-1"), conversion(3))
    made = duck_destination(source__key="email", checks={"rejection_rate": {"fail": 1.0}})
    sync(made)
    assert [row.key for row in rejected(made)] == [None, None]
    duck.execute("update conversions set value = 1")
    assert replay(made, key=("person2@shop.example.org",)).delivered == 1
    assert len(rejected(made)) == 1
