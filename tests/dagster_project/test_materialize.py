"""A materialization delivers what waits, and its metadata says exactly what became of it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

import dagster as dg
import pytest

from connector.commands.rejected import rejected
from connector.commands.status import status
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from dagster_project.resources import CapiResource, State, Warehouse
from tests.conftest import Make
from tests.support.dagster import CHECKS, load_definitions, materialize
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion

COUNTS = (
    "rows_read",
    "delivered",
    "rejected",
    "expired",
    "suppressed",
    "late",
    "ambiguous",
    "http_requests",
    "retries",
)
NUMBERS = {*COUNTS, "seconds", "concurrency", "rows_per_second", "lag_seconds", "dagster/row_count"}
"""What DESIGN.md promises to the plots of the UI."""

MIXED = "select *, email like 'private%' as opt_out from conversions"
OLD = {"windows": {"max_age": "7d"}}


def fill(duck: DuckDb) -> None:
    """Twenty good rows, three that cannot be delivered,
    two that may not be, one that is too old.
    """
    duck.insert(*(conversion(number) for number in range(20)))
    duck.insert(
        *(conversion(number, email=None) for number in (30, 31)), conversion(32, value="-1.00")
    )
    duck.insert(
        *(conversion(number, email=f"private{number}@shop.example.org") for number in (40, 41))
    )
    duck.insert(conversion(50, event_time=ago(days=30)))


def test_metadata_holds_the_numbers_that_the_ui_plots(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(duck)
    project.query(MIXED)
    monkeypatch.setenv("CAPI_DASHBOARD_URL", "https://capi.shop.example/")
    run = materialize(duck_destination(overrides=OLD), instance)
    assert run.success
    link = run.metadata["dashboard"]
    assert isinstance(link, dg.UrlMetadataValue)
    assert link.url == "https://capi.shop.example/#acme"
    assert {
        label
        for label, each in run.metadata.items()
        if isinstance(each, dg.IntMetadataValue | dg.FloatMetadataValue)
    } >= NUMBERS
    assert run.counts(
        "rows_read", "delivered", "rejected", "expired", "suppressed", "late", "dagster/row_count"
    ) == (26, 20, 3, 1, 2, 0, 20)
    assert run.counts("http_requests", "retries", "ambiguous") == (20, 0, 0)
    assert run.table("rejected_by_reason") == {"no_identity": 2, "bad_value": 1}
    assert run.table("http_statuses") == {"200": 20}
    assert receiver.inbox.summary()["events"] == 20


def test_metadata_equals_what_the_state_recorded(
    project: Project, duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    fill(duck)
    project.query(MIXED)
    made = duck_destination(overrides=OLD)
    run, state = materialize(made, instance), status(made)
    assert state.runs[0]["run_id"] == run.values["run_id"] == run.run_id
    assert {name: state.runs[0][name] for name in COUNTS} == {
        name: run.values[name] for name in COUNTS
    }
    assert (state.mark, state.runs[0]["status"]) == (run.values["mark_to"], "complete")
    assert state.recorded == {"delivered": 20, "rejected": 3, "expired": 1, "suppressed": 2}
    assert len(rejected(made)) == run.values["rejected"]


def test_the_warehouse_table_is_an_external_asset_with_its_rows_and_the_watermark(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    made, table = duck_destination(), dg.AssetKey(["warehouse", "conversions"])
    definitions = load_definitions(made)
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["capi", "acme"])).parent_keys == {table}
    assert graph.get(table).is_external
    first, second = materialize(made, instance), materialize(made, instance)
    [shown] = first.sources
    assert shown.asset_key == table
    values = {label: each.value for label, each in shown.metadata.items()}
    assert values == {
        "dagster/row_count": 5,
        "waiting": 5,
        "watermark": first.values["mark_to"],
        "run_id": first.run_id,
    }
    [later] = second.sources
    assert set(later.metadata) == {"waiting", "watermark", "run_id"}, "rows are counted once a day"


@pytest.mark.parametrize(
    "asset", [{"deps": ["shop/orders"]}, {"automation_condition": "on_cron(@daily)"}]
)
def test_where_an_upstream_or_a_condition_is_named_the_table_is_none(
    duck_destination: Make, asset: dict[str, object]
) -> None:
    definitions = load_definitions(duck_destination(asset=asset))
    keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["warehouse", "conversions"]) not in keys


def test_speed_and_lag_are_what_they_say(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    began = dt.datetime.now(dt.UTC)
    youngest = began - dt.timedelta(days=1)
    duck.insert(conversion(1, updated_at=ago(hours=3)), conversion(2, updated_at=youngest))
    run = materialize(duck_destination(), instance)
    took = dt.datetime.now(dt.UTC) - began
    assert 0 <= run.values["lag_seconds"] - 86_400 <= took.total_seconds()
    assert run.values["rows_per_second"] == pytest.approx(2 / run.values["seconds"], abs=0.051), (
        "to one decimal"
    )


def test_requests_that_were_repeated_and_answers_that_said_nothing_are_counted(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    receiver.script.add(Fault(status=502, take=True))
    receiver.script.add(Fault(status=503))
    run = materialize(duck_destination(delivery__concurrency=1), instance)
    assert run.counts("delivered", "http_requests", "retries", "ambiguous") == (5, 7, 2, 1)
    assert run.table("http_statuses") == {"200": 5, "502": 1, "503": 1}
    assert receiver.inbox.summary()["statuses"] == run.table("http_statuses")
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (5, 0)


def test_a_second_materialization_sends_nothing(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(10)))
    made = duck_destination()
    first, second = materialize(made, instance), materialize(made, instance)
    assert second.found_nothing, "the page keeps the numbers of the last delivery"
    assert second.counts("backlog", "lag_seconds", "watermark") == (0, 0.0, first.values["mark_to"])
    silent = {"rejection_rate", "late_rows", "match_keys", "completeness"}
    assert set(second.checks) == CHECKS - silent, "their last answers stay"
    latest = instance.get_latest_materialization_event(dg.AssetKey(["capi", "acme"]))
    assert latest is not None
    assert latest.run_id == first.run_id
    assert receiver.inbox.summary()["requests"] == 10


def test_an_empty_table_is_no_failure(
    duck_destination: Make, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    run = materialize(duck_destination(), instance)
    assert run.found_nothing
    assert run.counts("backlog", "lag_seconds") == (0, 0.0)
    assert receiver.inbox.summary()["requests"] == 0


def test_a_late_row_is_delivered_counted_and_shown_by_its_check(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=3)), conversion(2, updated_at=ago(hours=1)))
    made = duck_destination()
    assert materialize(made, instance).checks["late_rows"].passed
    duck.insert(conversion(3, updated_at=ago(hours=2)))
    run = materialize(made, instance)
    assert run.counts("delivered", "late") == (1, 1)
    check = run.checks["late_rows"]
    assert (check.passed, check.severity, check.metadata["late_rows"].value) == (
        False,
        dg.AssetCheckSeverity.WARN,
        1.0,
    )


def test_every_check_is_evaluated_and_a_good_run_passes_them_all(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(
        *(conversion(number, phone="+14155552671" if number % 2 else None) for number in range(10))
    )
    run = materialize(
        duck_destination(
            checks={"lag": "2d", "match_keys": {"HashedEmail": 0.9, "HashedPhone": 0.5}}
        ),
        instance,
    )
    assert {name: check.passed for name, check in run.checks.items()} == dict.fromkeys(CHECKS, True)
    shares = {name: value.value for name, value in run.checks["match_keys"].metadata.items()}
    assert shares == {"HashedEmail": 1.0, "HashedPhone": 0.5, "Guid": 0.0, "FirstPartyId": 0.0}
    accounted = {name: value.value for name, value in run.checks["reconciled"].metadata.items()}
    assert accounted == {"rows_read": 10, "accounted_for": 10}


def test_a_table_that_is_rebuilt_below_the_mark_fails_a_check(
    project: Project, duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    """Its new rows would never be read, and the run is green."""
    number = "cast(replace(conversion_id, 'c', '') as bigint)"
    project.query(f"select c.*, {number} as place from conversions c")
    made = duck_destination(source__cursor="place", source__lookback="0s")
    duck.insert(conversion(90))
    assert materialize(made, instance).checks["watermark_ahead"].passed
    duck.execute("delete from conversions")
    duck.insert(conversion(1))
    run = materialize(made, instance)
    check = run.checks["watermark_ahead"]
    assert (run.success, check.passed, check.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["watermark"].value == "90"


def spoil_one_in_five(duck: DuckDb) -> None:
    duck.insert(
        *(
            conversion(number, email=None if number % 5 == 0 else f"p{number}@example.org")
            for number in range(20)
        )
    )


@pytest.mark.parametrize(
    ("name", "checks", "fill", "passed", "severity"),
    [
        (
            "rejection_rate",
            {"rejection_rate": {"warn": 0.3, "fail": 0.5}},
            spoil_one_in_five,
            True,
            "WARN",
        ),
        (
            "rejection_rate",
            {"rejection_rate": {"warn": 0.1, "fail": 0.5}},
            spoil_one_in_five,
            False,
            "WARN",
        ),
        (
            "rejection_rate",
            {"rejection_rate": {"warn": 0.1, "fail": 0.15}},
            spoil_one_in_five,
            False,
            "ERROR",
        ),
        ("match_keys", {"match_keys": {"HashedPhone": 0.1}}, spoil_one_in_five, False, "WARN"),
        ("match_keys", {"match_keys": {"HashedEmail": 0.9}}, spoil_one_in_five, True, "WARN"),
        ("lag", {"lag": "1h"}, spoil_one_in_five, False, "ERROR"),
    ],
)
def test_limits_of_the_yaml_decide_on_a_check_and_its_severity(
    name: str,
    checks: dict[str, object],
    fill: Callable[[DuckDb], None],
    passed: bool,
    severity: str,
    duck_destination: Make,
    duck: DuckDb,
    instance: dg.DagsterInstance,
) -> None:
    fill(duck)
    run = materialize(duck_destination(checks=checks), instance)
    # A run that came late has delivered all the same: the check is red, and the run is not bad.
    assert run.success == (severity != "ERROR" or name == "lag")
    assert (run.checks[name].passed, run.checks[name].severity.value) == (passed, severity)


def test_resources_move_all_destinations_to_another_warehouse_and_state(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A staging deployment: the YAML stays,
    `definitions.py` says where to read and where to keep progress.
    """
    duck.insert(conversion(1))
    made = duck_destination(source__warehouse="env:PRODUCTION_URL")
    monkeypatch.setenv("STAGING_URL", duck.url)
    warehouse, state = (
        Warehouse(reference="env:STAGING_URL"),
        State(url=f"sqlite:///{project.root / 'staging.db'}"),
    )
    run = materialize(
        made,
        instance,
        resources={
            "warehouse": warehouse,
            "state": state,
            "capi": CapiResource(warehouse=warehouse, state=state),
        },
    )
    assert run.counts("delivered") == (1,)
    assert (project.root / "staging.db").is_file()
    assert not (project.root / ".capi" / "state.db").exists()


def test_what_the_connector_logs_is_in_the_log_of_the_run(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    receiver.script.add(Fault(status=503))
    run = materialize(duck_destination(), instance)
    lines = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert [line for line in lines if line == "acme: slice 0 (range)"]
    assert [line for line in lines if line.startswith("retry after attempt 1 (")]
    assert [line for line in lines if line.startswith(f"acme: run {run.run_id} has ended")]
    assert logging.getLogger("connector").level == logging.NOTSET
