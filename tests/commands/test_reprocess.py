"""The verbs for rows that a normal run does not touch: replay, reconcile, resolve, erase; and what asks a person first."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.commands import reprocess as again
from connector.commands.rejected import rejected
from connector.commands.status import status
from connector.config.destination import Destination
from connector.engine.planner import USUAL_LEAST, Options
from connector.engine.run import sync
from connector.errors import ConfigError, DestinationError, GuardRail, StateMismatch
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state.quarantine import MAX_ATTEMPTS
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion


def reasons(destination: Destination) -> dict[Any, str]:
    """Quarantined rows, key -> reason."""
    return {row["key"]: row["reason"] for row in rejected(destination)}


def latest(receiver: Receiver) -> dict[str, Any]:
    """The event that arrived last."""
    return receiver.ledger.latest[0]["event"]


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.ledger.arrivals.values())


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
    report = again.replay(made)
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
    assert again.replay(made, reason="bad_value").delivered == 1
    assert reasons(made) == {"c000001": "no_identity", "c000002": "no_identity"}
    assert again.replay(made, key=("c000002",)).delivered == 1
    assert reasons(made) == {"c000001": "no_identity"}
    assert again.replay(made, reason="bad_email").rows_read == 0
    assert receiver.ledger.summary()["events"] == 2


def test_a_row_that_the_platform_refused_is_sent_again_under_the_same_id(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    receiver.script.add(
        Fault(status=400, take=True, body={"error": {"code": "E7", "message": "no such product"}})
    )
    made = duck_destination()
    assert sync(made).rejected == 1
    assert again.replay(made).delivered == 1
    assert (receiver.ledger.summary()["duplicates"], receiver.ledger.summary()["conflicts"]) == (
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
    while again.replay(made).rows_read:
        [row] = rejected(made)
        attempts.append((row["attempts"], row["state"]))
    assert attempts == [
        *((number, "rejected") for number in range(2, MAX_ATTEMPTS)),
        (MAX_ATTEMPTS, "dead"),
    ]
    assert status(made).dead == 1
    duck.execute(
        "update conversions set email = 'mended@shop.example.org' where conversion_id = 'c000002'"
    )
    assert again.replay(made).rows_read == 0
    assert again.replay(made, key=("c000002",)).delivered == 1
    assert (rejected(made), status(made).dead) == ([], 0)


def test_a_row_that_comes_back_mended_needs_no_replay(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    duck.execute(
        "update conversions set email = 'mended@shop.example.org', updated_at = ? where conversion_id = 'c000002'",
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
    assert again.replay(made).rows_read == 0
    [row] = rejected(made)
    assert (row["key"], row["reason"], row["state"]) == ("c000002", "row_gone", "dead")


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
    assert again.replay(made).delivered == 1
    assert (rejected(made), receiver.ledger.summary()["events"]) == ([], 4)


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_rows_whose_key_is_personal_are_each_delivered_once_even_if_all_share_a_cursor_value(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, limit: int | None
) -> None:
    """Their mark has no key, so a run begins with rows that are recorded: they count neither for the limit nor as waiting."""
    moment = ago(hours=2)
    warehouse.insert(*(conversion(number, updated_at=moment) for number in range(4)))
    made = destination(source__key="email")
    delivered = [sync(made, Options(limit=limit)).delivered for _ in range(5)]
    assert delivered == {None: [4, 0, 0, 0, 0], 1: [1, 1, 1, 1, 0], 3: [3, 1, 0, 0, 0]}[limit]
    assert (copies(receiver), status(made).backlog, status(made).lag_seconds) == ([1] * 4, 0, 0.0)
    warehouse.insert(conversion(9, updated_at=moment))
    report = sync(made)
    assert (report.delivered, report.changed) == (1, 0)


def test_reconciling_reports_what_has_no_record_and_sends_it_when_asked(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1, updated_at=ago(days=6)), conversion(2, updated_at=ago(hours=1)))
    made = destination()
    sync(made)
    warehouse.insert(conversion(3, updated_at=ago(days=5)), conversion(4, updated_at=ago(days=3)))
    assert sync(made).rows_read == 0
    found = again.reconcile(made)
    assert (found.rows, found.missing, found.report) == (4, 2, None)
    assert (
        again.reconcile(made, since=ago(days=4)).rows,
        again.reconcile(made, since=ago(days=4)).missing,
    ) == (2, 1)
    mark = status(made).mark
    sent = again.reconcile(made, since=ago(days=4), send=True)
    assert sent.report is not None
    assert (sent.missing, sent.report.delivered, sent.report.late, sent.report.complete) == (
        1,
        1,
        1,
        True,
    )
    whole = again.reconcile(made, send=True)
    assert whole.report is not None
    assert (whole.missing, whole.report.delivered) == (1, 1)
    assert (again.reconcile(made, send=True).missing, status(made).mark, copies(receiver)) == (
        0,
        mark,
        [1, 1, 1, 1],
    )


def test_before_the_first_run_there_is_nothing_to_reconcile(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    assert again.reconcile(duck_destination(), send=True).to_json() == {
        "rows": 0,
        "missing": 0,
        "sent": None,
    }


def test_reconcile_since_needs_a_cursor_that_is_a_time(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    project.query("select *, substr(conversion_id, 2)::bigint as number from conversions")
    duck.insert(conversion(1))
    made = duck_destination(source__cursor="number")
    sync(made)
    with pytest.raises(ConfigError, match="--since needs a cursor that is a time"):
        again.reconcile(made, since=ago(days=1))


@pytest.fixture
def undecided(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> Destination:
    """A destination whose last run was killed, and whose platform no longer knows which of its requests it took."""
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination(overrides={"dedupe_window": "0s"})
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_send:3").code < 0
    assert receiver.ledger.summary()["events"] >= 3
    report = sync(made)
    assert (report.delivered, report.complete) == (0, True)
    assert (status(made).ambiguous_expired, status(made).recorded) == (6, {"ambiguous_expired": 6})
    return made


def test_rows_whose_delivery_stayed_unknown_wait_for_a_person(
    undecided: Destination, receiver: Receiver
) -> None:
    before = receiver.ledger.summary()["requests"]
    assert (
        sync(undecided).rows_read,
        again.replay(undecided).rows_read,
        again.reconcile(undecided).missing,
    ) == (0, 0, 0)
    assert receiver.ledger.summary()["requests"] == before
    assert {(row["reason"], row["state"]) for row in rejected(undecided)} == {
        ("ambiguous_expired", "ambiguous_expired")
    }


def test_a_person_says_that_they_were_delivered(undecided: Destination, receiver: Receiver) -> None:
    before = receiver.ledger.summary()["requests"]
    assert again.settle_ambiguous(undecided, "delivered") == 6
    assert (
        status(undecided).recorded,
        status(undecided).ambiguous_expired,
        rejected(undecided),
    ) == ({"delivered": 6}, 0, [])
    assert (sync(undecided).rows_read, again.replay(undecided).rows_read) == (0, 0)
    assert receiver.ledger.summary()["requests"] == before
    assert again.settle_ambiguous(undecided, "delivered") == 0


def test_a_person_says_that_they_are_to_be_sent_again(
    undecided: Destination, receiver: Receiver
) -> None:
    assert again.settle_ambiguous(undecided, "resend") == 6
    assert set(reasons(undecided).values()) == {"ambiguous_resend"}
    assert (sync(undecided).rows_read, again.replay(undecided).delivered) == (0, 6)
    assert (status(undecided).recorded, rejected(undecided)) == ({"delivered": 6}, [])
    assert (receiver.ledger.summary()["events"], receiver.ledger.summary()["conflicts"]) == (6, 0)


def test_a_changed_zone_is_refused_until_a_person_accepts_it(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination())
    changed = duck_destination(source__time_zone="Europe/Berlin")
    with pytest.raises(StateMismatch, match="source.time_zone changed since the last run"):
        sync(changed)
    assert status(changed).runs[0]["status"] == "refused"
    assert again.accept_change(changed) == ["source.time_zone"]
    assert again.accept_change(changed) == []
    assert sync(changed).rows_read == 0


def test_another_key_cannot_be_accepted_but_the_destination_can_begin_anew(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Rows are known by their key; under another one all that lookback reads would be sent again."""
    duck.insert(conversion(1, order_id="o1"), conversion(2, order_id="o2"))
    sync(duck_destination(source__lag="0s"))
    changed = duck_destination(source__lag="0s", source__key=["order_id", "conversion_id"])
    with pytest.raises(StateMismatch, match="source.key changed since the last run"):
        sync(changed)
    with pytest.raises(ConfigError, match="Put the old key back"):
        again.accept_change(changed)
    assert status(changed).mark is not None
    again.restart(changed, "now")
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
    mark = again.restart(made, where)
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
    again.restart(made, "all")
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
    again.restart(made, "now")
    assert sync(made).rows_read == 0


def test_a_restart_at_no_time_at_all_is_a_sentence(duck_destination: Make) -> None:
    with pytest.raises(ConfigError, match="start must be all, now, or a timestamp"):
        again.restart(duck_destination(), "yesterday")


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_erased_row_is_never_sent_again(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, was_sent: bool
) -> None:
    duck.insert(conversion(1), *([conversion(2)] if was_sent else []))
    made = duck_destination()
    sync(made)
    before = receiver.ledger.summary()["requests"]
    assert again.erase(made, ("c000002",)) == was_sent
    if not was_sent:
        duck.insert(conversion(2))
    duck.execute(
        "update conversions set value = 77, updated_at = ? where conversion_id = 'c000002'",
        ago(minutes=30),
    )
    assert (
        sync(made).rows_read,
        again.reconcile(made, send=True).missing,
        again.replay(made).rows_read,
    ) == (0, 0, 0)
    again.restart(made, "all")
    assert sync(made).rows_read == 0
    assert receiver.ledger.summary()["requests"] == before
    assert status(made).recorded["erased"] == 1


def test_an_erased_row_leaves_the_quarantine(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    assert again.erase(made, ("c000002",)) is True
    assert (rejected(made), again.replay(made, key=("c000002",)).rows_read) == ([], 0)


def test_one_row_is_replayed_by_a_key_that_is_not_stored(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1, value="-1"), conversion(2, value="-1"), conversion(3))
    made = duck_destination(source__key="email", checks={"rejection_rate": {"fail": 1.0}})
    sync(made)
    assert [row["key"] for row in rejected(made)] == [None, None]
    duck.execute("update conversions set value = 1")
    assert again.replay(made, key=("person2@shop.example.org",)).delivered == 1
    assert len(rejected(made)) == 1


@pytest.mark.parametrize(("on_change", "events"), [("same_event_id", 2), ("new_version", 3)])
def test_rows_whose_values_changed_are_sent_again_where_the_yaml_says_so(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, on_change: str, events: int
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    made = destination(send="on_change", on_change=on_change)
    sync(made)
    touched, changed = (warehouse.adapt(ago(minutes=minutes)) for minutes in (40, 30))
    mark = warehouse.mark
    warehouse.execute(
        f"update conversions set updated_at = {mark} where conversion_id = 'c000001'", touched
    )
    warehouse.execute(
        f"update conversions set updated_at = {mark}, value = 77 where conversion_id = 'c000002'",
        changed,
    )
    report = sync(made)
    assert (report.delivered, report.changed) == (1, 1)
    assert (
        receiver.ledger.summary()["accepted"],
        receiver.ledger.summary()["events"],
        latest(receiver)["value"],
    ) == (3, events, 77)
    assert sync(made).rows_read == 0


def test_rows_that_changed_are_counted_and_not_sent_by_default(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    made = destination()
    sync(made)
    warehouse.execute(
        f"update conversions set value = 77, updated_at = {warehouse.mark}",
        warehouse.adapt(ago(minutes=30)),
    )
    report = sync(made)
    assert (report.rows_read, report.changed) == (0, 2)
    assert copies(receiver) == [1, 1]


def test_more_rows_than_a_run_may_have_wait_for_a_person(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination(delivery__max_rows_per_run=5)
    with pytest.raises(
        GuardRail, match=r"6 rows wait, more than delivery.max_rows_per_run \(5\); nothing was sent"
    ):
        sync(made)
    with pytest.raises(GuardRail):
        sync(made, Options(limit=6))
    assert receiver.ledger.summary()["requests"] == 0
    assert sync(made, Options(limit=2)).delivered == 2
    assert sync(made).delivered == 4
    duck.insert(*(conversion(number) for number in range(6, 12)))
    assert sync(made, Options(yes=True)).delivered == 6


def test_a_rebuilt_table_waits_for_a_person(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Five runs of a few rows, then a table whose rows all look new."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lookback="0s")
    for number in range(5):
        duck.insert(*(conversion(each) for each in range(number * 10, number * 10 + 10)))
        assert sync(made).delivered == 10
    duck.execute(
        "insert into conversions (conversion_id, updated_at) select 'x' || n, now() - interval 1 hour from range(?) t(n)",
        USUAL_LEAST + 1,
    )
    with pytest.raises(
        GuardRail, match=r"1001 rows wait, more than 10 times the usual 10; was the table rebuilt\?"
    ):
        sync(made)
    assert receiver.ledger.summary()["requests"] == 50
    assert sync(made, Options(limit=10)).rows_read == 10
    assert sync(made, Options(yes=True)).rows_read == USUAL_LEAST - 9


def test_a_thousand_rows_are_never_too_many(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    """The counterpart of the test above."""
    project.query("select *, conversion_id > 'x' as opt_out from conversions")
    made = duck_destination(source__lookback="0s")
    for number in range(5):
        duck.insert(conversion(number))
        assert sync(made).delivered == 1
    duck.execute(
        "insert into conversions (conversion_id, updated_at) select 'x' || n, now() - interval 1 hour from range(?) t(n)",
        USUAL_LEAST,
    )
    assert sync(made).rows_read == USUAL_LEAST


def test_where_a_first_run_starts_must_be_said(duck_destination: Make) -> None:
    with pytest.raises(DestinationError, match="start is missing"):
        duck_destination(source__start=None)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_a_number_of_rows(limit: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        Options(limit=limit)
