"""What a person may type into the launchpad: the options of `capi sync`."""

from __future__ import annotations

import dagster as dg
import pytest

from connector.commands.status import status
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.dagster import materialize
from tests.support.warehouses import DuckDb, ago, conversion


def test_a_dry_run_sends_and_records_nothing(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(10)))
    made = duck_destination()
    run = materialize(made, instance, dry_run=True)
    assert run.success
    assert run.counts("rows_read", "http_requests", "dagster/row_count") == (10, 0, 0)
    assert receiver.inbox.summary()["requests"] == 0
    assert (status(made).mark, status(made).runs, status(made).backlog) == (None, [], 10)


def test_after_a_dry_run_the_first_real_run_delivers(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(10)))
    made = duck_destination()
    materialize(made, instance, dry_run=True)
    run = materialize(made, instance)
    assert run.success, run.failure
    assert receiver.inbox.summary()["events"] == 10


def test_a_dry_run_that_finds_a_bad_row_shows_it_and_succeeds(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(9)), conversion(9, email=None))
    run = materialize(duck_destination(), instance, dry_run=True)
    assert run.table("rejected_by_reason") == {"no_identity": 1}
    assert run.success, run.failure


def test_a_dry_run_leaves_the_checks_green(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(9)))
    run = materialize(duck_destination(), instance, dry_run=True)
    assert run.success
    assert all(check.passed for check in run.checks.values())


def test_a_limit_takes_the_oldest_rows_and_the_next_run_the_rest(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(10)))
    made = duck_destination()
    first, second = materialize(made, instance, limit=4), materialize(made, instance)
    assert (first.counts("delivered"), second.counts("delivered")) == ((4,), (6,))
    assert first.values["mark_to"] == second.values["mark_from"]
    assert receiver.inbox.summary()["events"] == 10


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_refused_in_a_sentence(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    limit: int,
) -> None:
    """As `capi sync --limit 0` is."""
    duck.insert(*(conversion(number) for number in range(10)))
    run = materialize(duck_destination(), instance, limit=limit)
    assert "limit" in run.failure
    assert receiver.inbox.summary()["requests"] == 0


def test_since_and_until_deliver_what_was_left_out_and_leave_the_mark(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(
        conversion(1, updated_at=ago(hours=50)),
        conversion(2, updated_at=ago(hours=30)),
        conversion(3, updated_at=ago(hours=1)),
    )
    made = duck_destination(source__start=ago(hours=2).isoformat())
    mark = materialize(made, instance).values["mark_to"]
    assert receiver.inbox.summary()["events"] == 1
    run = materialize(
        made, instance, since=ago(hours=60).isoformat(), until=ago(hours=40).isoformat()
    )
    assert run.counts("delivered", "late", "mark_to") == (1, 1, mark)
    assert materialize(made, instance, since=ago(hours=60).isoformat()).counts(
        "delivered", "mark_to"
    ) == (1, mark)
    assert receiver.inbox.summary()["events"] == 3


def test_until_alone_stops_there_and_the_next_run_goes_on(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=5)), conversion(2, updated_at=ago(hours=1)))
    made = duck_destination()
    assert materialize(made, instance, until=ago(hours=3).isoformat()).counts("delivered") == (1,)
    assert materialize(made, instance).counts("delivered", "late") == (1, 0)


@pytest.mark.parametrize("option", ["since", "until"])
@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "yesterday"])
def test_a_time_without_a_zone_is_refused_in_a_sentence(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    option: str,
    text: str,
) -> None:
    duck.insert(conversion(1))
    run = materialize(duck_destination(), instance, **{option: text})
    assert run.failure == "since and until are times with a zone, such as 2026-01-01T00:00:00Z"
    assert receiver.inbox.summary()["requests"] == 0


def test_quarantined_rows_are_tried_again_when_asked(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    assert materialize(made, instance).counts("delivered", "rejected") == (1, 1)
    duck.execute(
        "update conversions set email = 'mended@shop.example.org' where conversion_id = 'c000002'"
    )
    assert materialize(made, instance).found_nothing
    assert materialize(made, instance, replay_rejected=True).counts("delivered", "rejected") == (
        1,
        0,
    )
    assert (status(made).quarantine, receiver.inbox.summary()["events"]) == ({}, 2)


def test_more_rows_than_usual_wait_for_a_yes(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(6)))
    made = duck_destination(delivery__max_rows_per_run=5)
    refused = materialize(made, instance)
    assert "6 rows wait, more than delivery.max_rows_per_run (5)" in refused.failure
    assert receiver.inbox.summary()["requests"] == 0
    assert materialize(made, instance, yes=True).counts("delivered") == (6,)


def test_refusals_of_nearly_everything_are_recorded_after_a_yes(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(40)))
    receiver.settings = type(receiver.settings)(token=receiver.settings.token, reject_rate=1.0)
    made = duck_destination()
    halted = materialize(made, instance)
    assert "refuses nearly everything" in halted.failure
    assert halted.counts("rejected") == (0,)
    accepted = materialize(made, instance, yes=True)
    assert accepted.counts("rejected") == (40,)
    assert "40 of 40 rows were rejected" in accepted.failure


def test_test_mode_is_refused_where_the_platform_has_none(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    """`test_mode: true` in the YAML is refused,
    so the launchpad must not send real conversions under that name.
    """
    duck.insert(*(conversion(number) for number in range(3)))
    run = materialize(duck_destination(), instance, test_mode=True)
    assert receiver.inbox.summary()["requests"] == 0
    assert "no test mode" in run.failure


def test_a_misspelt_option_is_refused_before_anything_happens(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    with pytest.raises(dg.DagsterInvalidConfigError, match="dryrun"):
        materialize(duck_destination(), instance, dryrun=True)
    assert receiver.inbox.summary()["requests"] == 0
