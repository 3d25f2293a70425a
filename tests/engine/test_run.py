"""The whole path on real databases: nothing is lost, nothing is sent twice without need."""

from __future__ import annotations

import datetime as dt
import signal
from typing import Any

import pytest

from connector.commands.status import status
from connector.commands.sync import sync
from connector.delivery.retry_budget import RetryBudget
from connector.engine.context import open_context
from connector.engine.plan import Options
from connector.engine.run import deliver, plan, settle
from connector.errors import ConfigError, LeaseHeld, WarehouseError
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion


def delivered_ids(receiver: Receiver) -> set[str]:
    return {event_id for _, event_id in receiver.inbox.arrivals}


def test_every_conversion_arrives_once_and_a_second_run_sends_nothing(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(30)))
    first, second = sync(destination()), sync(destination())
    assert (first.rows_read, first.delivered, first.complete) == (30, 30, True)
    assert (second.rows_read, second.http_requests) == (0, 0)
    assert receiver.inbox.summary()["events"] == 30
    assert receiver.inbox.summary()["duplicates"] == 0
    assert second.mark_from == second.mark_to == first.mark_to


@pytest.mark.parametrize("path", [".example.org/events", "@example.org/events", "1/events"])
def test_no_platform_file_leads_a_request_to_another_host(
    duck: DuckDb, project: Project, receiver: Receiver, path: str
) -> None:
    duck.insert(conversion(1))
    project.write(duck.url, receiver.url.removesuffix("/"), overrides={"path": path})
    report = sync(project.load())
    assert report.failure is not None
    assert "another host than the configured endpoint" in report.failure.message
    assert (report.delivered, report.http_requests) == (0, 0)
    assert receiver.inbox.summary()["events"] == 0


def test_new_rows_alone_are_sent(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(5)))
    sync(destination())
    warehouse.insert(*(conversion(number) for number in range(5, 8)))
    report = sync(destination())
    assert report.delivered == 3
    assert receiver.inbox.summary()["events"] == 8


def test_rows_that_share_a_cursor_value_survive_a_page_boundary(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    moment = ago(hours=2)
    warehouse.insert(*(conversion(number, updated_at=moment) for number in range(450)))
    made = destination()
    assert sync(made, options=Options(limit=250)).delivered == 250
    assert sync(made).delivered == 200
    assert receiver.inbox.summary()["events"] == 450


def test_a_row_committed_late_is_still_delivered(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1, updated_at=ago(hours=3)), conversion(2, updated_at=ago(hours=1)))
    sync(destination())
    warehouse.insert(conversion(3, updated_at=ago(hours=2)))
    report = sync(destination())
    assert (report.delivered, report.late) == (1, 1)
    assert receiver.inbox.summary()["events"] == 3
    assert sync(destination()).rows_read == 0


def test_a_late_row_is_found_by_the_run_after_one_that_broke_off_before_it_looked_back(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1, updated_at=ago(hours=30)))
    made = destination(source__lookback="1h")
    sync(made)
    warehouse.insert(
        conversion(2, updated_at=ago(hours=30, minutes=30)), conversion(3, updated_at=ago(hours=1))
    )
    receiver.script.add(Fault(status=404, after=1))
    assert not sync(made).complete
    report = sync(made)
    assert (report.delivered, report.late, report.complete) == (1, 1, True)
    assert receiver.inbox.summary()["events"] == 3


def test_without_lookback_a_late_row_is_not_seen(
    destination: Make, warehouse: TestWarehouse
) -> None:
    """The counterpart of the test above: it is lookback that finds the row, and nothing else."""
    warehouse.insert(conversion(1, updated_at=ago(hours=1)))
    sync(destination(source__lookback="0s"))
    warehouse.insert(conversion(2, updated_at=ago(hours=2)))
    assert sync(destination(source__lookback="0s")).rows_read == 0


def test_a_row_dated_2099_waits_and_hides_nothing(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(
        conversion(1, updated_at=dt.datetime(2099, 1, 1, tzinfo=dt.UTC)), conversion(2)
    )
    first = sync(destination())
    warehouse.insert(conversion(3))
    second = sync(destination())
    assert (first.delivered, second.delivered) == (1, 1)
    assert first.facts["future_rows"] == 1


def test_rows_younger_than_the_lag_wait(destination: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(
        conversion(1, updated_at=ago(seconds=30)), conversion(2, updated_at=ago(minutes=30))
    )
    assert sync(destination(source__lag="5m")).delivered == 1
    assert sync(destination(source__lag="5m")).delivered == 0


def test_rows_without_a_cursor_stop_the_run_before_the_first_send(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1), conversion(2, updated_at=None))
    with pytest.raises(ConfigError, match="1 row has no updated_at"):
        sync(destination())
    assert receiver.inbox.summary()["requests"] == 0


def test_rows_without_a_cursor_can_be_counted_instead(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1), conversion(2, updated_at=None))
    report = sync(destination(source__null_cursor="count"))
    assert (report.delivered, report.facts["null_cursors"]) == (1, 1)


def test_rows_without_a_key_stop_the_run(destination: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(conversion(1), conversion(2, conversion_id=None))
    with pytest.raises(ConfigError, match="no conversion_id"):
        sync(destination())


def test_two_rows_with_one_key_are_named(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1), conversion(1), conversion(2))
    report = sync(destination())
    assert report.failure is not None
    assert "c000001" in report.failure.message
    assert report.failure.exit_code == 2
    assert receiver.inbox.summary()["requests"] == 0


@pytest.mark.parametrize("failpoint", ["after_send:7", "inside_commit:2", "after_commit:2"])
def test_a_killed_run_is_resumed_and_nothing_is_lost(
    project: Project,
    destination: Make,
    warehouse: TestWarehouse,
    receiver: Receiver,
    failpoint: str,
) -> None:
    warehouse.insert(*(conversion(number) for number in range(210)))
    made = destination()
    killed = project.capi("sync", "acme", "--json", CAPI_FAILPOINT=failpoint)
    assert killed.code == -signal.SIGKILL
    assert status(made).runs[0]["status"] == "interrupted", "nobody holds its lease"
    assert sync(made).complete
    summary = receiver.inbox.summary()
    assert (summary["events"], summary["conflicts"]) == (210, 0)
    assert sync(made).rows_read == 0


@pytest.mark.parametrize(
    ("change", "compared"), [(False, "same bytes"), (True, "rows changed since")]
)
def test_a_page_that_is_sent_again_is_compared_with_what_was_announced(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    change: bool,
    compared: str,
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    made = duck_destination()
    assert (
        project.capi("sync", "acme", "--json", CAPI_FAILPOINT="after_send:2").code
        == -signal.SIGKILL
    )
    if change:
        duck.execute("update conversions set value = 12.25")
    report = sync(made)
    assert (report.complete, report.tallies["resent"]) == (True, {compared: 1})
    assert receiver.inbox.summary()["events"] == 3


def test_a_second_run_at_the_same_time_refuses(
    project: Project, destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(3)))
    made = destination()
    receiver.script.add(Fault(kind="hang", seconds=5))
    first = project.start("sync", "acme", "--json")
    while not receiver.inbox.summary()["requests"]:
        assert first.poll() is None
    with pytest.raises(LeaseHeld, match="is at work on this destination"):
        sync(made)
    assert status(made).runs[0]["status"] == "running"
    first.kill()
    first.communicate()


def test_refused_credentials_halt_the_run_and_blame_no_row(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.insert(*(conversion(number) for number in range(50)))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    report = sync(destination())
    assert report.failure is not None
    assert report.failure.exit_code == 3
    assert (
        report.failure.message
        == "the platform refused the credentials (HTTP 401); check auth.bearer (env:ACME_TOKEN)"
    )
    assert (report.delivered, report.rejected) == (0, 0)
    assert report.http_requests <= 16
    monkeypatch.setenv("ACME_TOKEN", "sandbox-token")
    assert sync(destination()).delivered == 50


def test_a_throttled_request_waits_as_long_as_it_is_told(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(3)))
    receiver.script.add(Fault(status=429, headers={"Retry-After": "1"}))
    report = sync(destination())
    assert (report.delivered, report.retries) == (3, 1)
    assert report.seconds >= 1


def test_a_platform_that_asks_for_an_hour_is_left_alone(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1))
    receiver.script.add(Fault(status=429, headers={"Retry-After": "3600"}))
    first, second = sync(destination()), None
    assert first.failure is not None
    assert first.failure.kind == "Postponed"
    requests = receiver.inbox.summary()["requests"]
    with pytest.raises(Exception, match="asked to wait until"):
        second = sync(destination())
    assert second is None
    assert receiver.inbox.summary()["requests"] == requests


def test_no_slice_of_a_run_is_begun_once_the_platform_asked_for_an_hour(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Dagster delivers the slices of a plan one by one, whatever became of the others."""
    duck.insert(conversion(1))
    receiver.script.add(Fault(status=429, headers={"Retry-After": "3600"}))
    with open_context(duck_destination()) as session:
        work = plan(session, Options()).plan
        failures = [deliver(session, work, work.slices[0]) for _ in range(2)]
        settle(session, work, failures[0])
    assert [failure and failure.kind for failure in failures] == ["Postponed", "Postponed"]
    assert receiver.inbox.summary()["requests"] == 1


def test_slices_that_one_process_delivers_share_the_retries_of_a_run(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(2)))
    receiver.script.add(Fault(status=503, times=1000))
    with open_context(duck_destination(delivery__concurrency=1)) as session:
        session.budget = RetryBudget(share=0, floor=3)
        work = plan(session, Options()).plan
        for _ in range(3):
            failure = deliver(session, work, work.slices[0])
        report = settle(session, work, failure)
    assert report.failure is not None
    assert report.retries == 3


def test_an_answer_that_drips_in_is_cut_off_and_sent_again(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1))
    receiver.script.add(Fault(kind="drip", seconds=30, take=True))
    report = sync(destination(delivery__timeout="1s"))
    assert (report.delivered, report.ambiguous) == (1, 1)
    assert receiver.inbox.summary()["conflicts"] == 0


def test_a_row_that_the_platform_refuses_is_quarantined_and_the_rest_arrives(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(10)))
    receiver.script.add(
        Fault(status=400, body={"error": {"code": "E7", "message": "no such product"}})
    )
    report = sync(destination())
    assert (report.delivered, report.rejected) == (9, 1)
    assert report.tallies["rejected"] == {"platform_rejected unregistered": 1}
    assert sync(destination()).rows_read == 0


def test_our_own_rules_reject_rows_with_a_reason(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(
        conversion(1, email=None),
        conversion(2, email="not an address"),
        conversion(3, event_name=" "),
        conversion(4, value="-1.00"),
        conversion(5),
    )
    report = sync(destination())
    assert (report.rows_read, report.delivered, report.rejected) == (5, 1, 4)
    assert report.tallies["rejected"] == {
        "no_identity": 1,
        "bad_email": 1,
        "missing_event_name": 1,
        "bad_value": 1,
    }
    assert report.reconciled


def test_a_dry_run_sends_and_records_nothing(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(*(conversion(number) for number in range(10)))
    report = sync(destination(), options=Options(dry_run=True))
    assert (report.rows_read, report.delivered, report.mark_to) == (10, 0, None)
    assert receiver.inbox.summary()["requests"] == 0
    assert sync(destination()).delivered == 10


def test_start_now_leaves_history_alone(destination: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(conversion(1))
    assert sync(destination(source__start="now", source__lag="0s")).rows_read == 0
    warehouse.insert(conversion(2, updated_at=dt.datetime.now(dt.UTC)))
    assert sync(destination(source__start="now", source__lag="0s")).delivered == 1


def test_start_at_a_time(destination: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(conversion(1, updated_at=ago(days=3)), conversion(2, updated_at=ago(days=1)))
    start = ago(days=2).isoformat()
    assert sync(destination(source__start=start)).delivered == 1
    assert sync(destination(source__start=start)).rows_read == 0


def test_until_bounds_a_run_and_since_reaches_behind_the_mark(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1, updated_at=ago(days=3)), conversion(2, updated_at=ago(days=1)))
    made = destination(source__lookback="0s")
    assert sync(made, options=Options(until=ago(days=2))).delivered == 1
    assert sync(made).delivered == 1
    warehouse.insert(conversion(3, updated_at=ago(days=2)))
    assert sync(made).rows_read == 0
    report = sync(made, options=Options(since=ago(days=4)))
    assert (report.delivered, report.mark_to) == (1, report.mark_from)


@pytest.mark.parametrize("kind", ["composite", "integer"])
def test_keys_of_any_shape_order_the_rows(
    project: Project, destination: Make, warehouse: TestWarehouse, kind: str
) -> None:
    moment = ago(hours=2)
    warehouse.insert(
        *(conversion(number, updated_at=moment, order_id=str(number % 3)) for number in range(250))
    )
    number = {
        "duckdb": "substr(conversion_id, 2)::bigint",
        "postgresql": "substr(conversion_id, 2)::bigint",
        "sqlite": "cast(substr(conversion_id, 2) as integer)",
    }[warehouse.kind]
    project.query(f"select c.*, {number} as number from conversions c")
    key: Any = ["order_id", "conversion_id"] if kind == "composite" else "number"
    made = destination(source__key=key)
    assert sync(made, options=Options(limit=100)).delivered == 100
    assert sync(made).delivered == 150


def test_an_integer_cursor_works_and_its_start_can_be_now(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(*(conversion(number) for number in range(10)))
    number = {
        "duckdb": "substr(conversion_id, 2)::bigint",
        "postgresql": "substr(conversion_id, 2)::bigint",
        "sqlite": "cast(substr(conversion_id, 2) as integer)",
    }[warehouse.kind]
    project.query(f"select c.*, {number} as number from conversions c")
    made = destination(source__cursor="number", source__start="now")
    assert sync(made).rows_read == 0
    warehouse.insert(conversion(10), conversion(11))
    assert sync(made).delivered == 2
    assert sync(made).rows_read == 0


def test_a_naive_cursor_needs_a_zone(
    destination: Make, warehouse: TestWarehouse, project: Project
) -> None:
    warehouse.insert(conversion(1))
    cast = {
        "duckdb": "(updated_at at time zone 'UTC')",
        "postgresql": "(updated_at at time zone 'UTC')",
        "sqlite": "replace(updated_at, 'Z', '')",
    }[warehouse.kind]
    project.query(f"select c.*, {cast} as naive from conversions c")
    with pytest.raises(ConfigError, match="set source.time_zone"):
        sync(destination(source__cursor="naive", source__time_zone=None))
    assert [run["status"] for run in status(project.load()).runs] == ["refused"]
    assert sync(destination(source__cursor="naive", source__time_zone="UTC")).delivered == 1


def test_a_warehouse_that_went_away_is_no_run_that_was_cut_off(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    duck.path.rename(duck.path.with_suffix(".away"))
    with pytest.raises(WarehouseError):
        sync(made)
    assert [run["status"] for run in status(made).runs] == ["failed", "complete"]


def test_a_changed_query_refuses_to_run_until_a_person_decides(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    sync(destination())
    project.query("select * from conversions where value > 5")
    with pytest.raises(ConfigError, match="the query changed since the last run"):
        sync(destination())
    assert project.capi("resolve", "acme", "--accept-change", "--json", check=True).json() == {
        "accepted": ["the query"]
    }
    assert sync(destination()).rows_read == 0


def test_a_cursor_on_a_microsecond_is_neither_read_twice_nor_skipped(
    destination: Make, warehouse: TestWarehouse
) -> None:
    moment = ago(hours=5).replace(microsecond=123_456)
    warehouse.insert(
        *(
            conversion(number, updated_at=moment + dt.timedelta(microseconds=number))
            for number in range(6)
        )
    )
    made = destination(source__lookback="0s")
    counts = [sync(made, options=Options(limit=2)).delivered for _ in range(4)]
    assert counts == [2, 2, 2, 0]
