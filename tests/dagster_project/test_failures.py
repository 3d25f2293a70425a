"""A run that fails says why in one sentence,
shows its counts all the same, and is not repeated blindly.
"""

from __future__ import annotations

import shutil

import dagster as dg
import pytest

from connector.commands.alert_conditions import conditions
from connector.commands.resolve import put_watermark
from connector.commands.status import status
from connector.engine.context import open_context
from connector.engine.run import take_lease
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from dagster_project.components.assets import BY_ITSELF
from tests.conftest import Make
from tests.support.dagster import load_definitions, materialize
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, conversion


def test_a_run_in_which_everything_was_rejected_fails_and_shows_its_counts(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number, email=None) for number in range(3)))
    run = materialize(duck_destination(), instance)
    assert not run.success
    assert (
        run.failure == "3 of 3 rows were rejected (no_identity: 3); `capi rejected acme` lists them"
    )
    assert not run.materializations
    assert run.counts("rows_read", "delivered", "rejected") == (3, 0, 3)
    assert run.failure_values == run.values
    assert (run.checks["reconciled"].passed, run.checks["rejection_rate"].passed) == (True, False)
    assert run.checks["rejection_rate"].severity == dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("rejected", "limits", "bad"),
    [
        (0, {"fail": 0.25}, False),
        (2, {"fail": 0.25}, False),
        (3, {"fail": 0.25}, True),
        (3, {"fail": 0.5}, False),
        (9, {"fail": None}, False),
        (10, {"fail": None}, True),
    ],
)
def test_exit_code_asset_check_and_alert_say_the_same(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    instance: dg.DagsterInstance,
    rejected: int,
    limits: dict[str, float | None],
    bad: bool,
) -> None:
    """A quarter of the rows may be rejected, unless the YAML says another share."""
    checks = {"rejection_rate": {"warn": 0.01, **limits}}
    for first in (0, 10):
        rows = range(first, first + 10)
        duck.insert(
            *(conversion(each, email=None) for each in rows[:rejected]),
            *(conversion(each) for each in rows[rejected:]),
        )
        made = duck_destination(checks=checks)
        if first == 0:
            run = materialize(made, instance)
        else:
            done = project.capi("sync", "acme", "--json")
    check = run.checks["rejection_rate"]
    with open_context(made) as context:
        alerts = {each.kind: each.is_critical for each in conditions(context)}
    assert run.counts("delivered", "rejected") == (10 - rejected, rejected)
    assert {
        "exit code": done.code == 1,
        "asset": not run.success,
        "check": check.severity == dg.AssetCheckSeverity.ERROR and not check.passed,
        "alert": any(alerts.values()),
    } == dict.fromkeys(("exit code", "asset", "check", "alert"), bad)
    assert ("rejection_rate" in alerts) == (rejected > 0), "told from the warning on"


def test_refused_credentials_fail_the_run_with_its_counts(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(*(conversion(number) for number in range(50)))
    made = duck_destination()
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    run = materialize(made, instance)
    assert not run.materializations
    assert list(run.failed_steps) == ["deliver[range_0]"], "the step that met it"
    assert "401" in run.failure
    assert run.failure_values == run.values
    assert run.counts("delivered", "rejected", "dagster/row_count") == (0, 0, 0)
    assert run.table("http_statuses") == receiver.inbox.summary()["statuses"]
    assert run.values["http_requests"] == receiver.inbox.summary()["requests"] > 0
    assert status(made).runs[0]["status"] == "failed"
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    assert materialize(made, instance).counts("delivered") == (50,)


def test_a_run_that_stops_half_way_shows_what_it_delivered(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(500)))
    receiver.script.add(Fault(status=404, after=300))
    made = duck_destination()
    run = materialize(made, instance)
    assert "404" in run.failure
    assert 300 <= run.values["delivered"] == receiver.inbox.summary()["events"] < 500
    assert run.counts("delivered", "http_requests") == tuple(
        status(made).runs[0][name] for name in ("delivered", "http_requests")
    )
    rest = materialize(made, instance)
    assert (
        run.values["delivered"] + rest.values["delivered"]
        == receiver.inbox.summary()["accepted"]
        == 500
    )


def test_rows_met_again_after_a_stop_have_not_changed(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(100)))
    receiver.script.add(Fault(status=404, after=20))
    made = duck_destination()
    assert "404" in materialize(made, instance).failure
    assert receiver.inbox.summary()["events"] >= 20
    assert materialize(made, instance).counts("changed") == (0,)


def test_over_a_stop_every_row_is_counted_once(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(
        *(
            conversion(number, email=None if number % 10 == 0 else f"p{number}@example.org")
            for number in range(100)
        )
    )
    receiver.script.add(Fault(status=404, after=20))
    made = duck_destination()
    first, second = materialize(made, instance), materialize(made, instance)
    assert (first.success, second.success) == (False, True)
    assert (
        first.values["delivered"] + second.values["delivered"]
        == receiver.inbox.summary()["events"]
        == 90
    )
    assert first.values["rejected"] + second.values["rejected"] == 10
    assert first.values["rows_read"] + second.values["rows_read"] == 100


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"source__cursor": "loaded_at"},
            (
                "acme: the query sql/conversions.sql has no column loaded_at; it has "
                "conversion_id, updated_at,"
            ),
        ),
        (
            {"columns": {"email": "mail"}},
            (
                "acme: the query sql/conversions.sql has no column mail; it has conversion_id, "
                "updated_at,"
            ),
        ),
        ({"auth__bearer": "env:ACME_TOKEN_OF_NOBODY"}, "ACME_TOKEN_OF_NOBODY"),
        ({"source__warehouse": "env:WAREHOUSE_OF_NOBODY"}, "WAREHOUSE_OF_NOBODY"),
        (
            {"source__warehouse": "duckdb:///gone.duckdb"},
            "acme: there is no DuckDB file at the address in source.warehouse",
        ),
        ({"source__query": "sql/gone.sql"}, "there is no file sql/gone.sql"),
    ],
)
def test_what_a_person_must_mend_is_told_in_a_sentence_before_the_first_send(
    change: dict[str, object],
    sentence: str,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
) -> None:
    duck.insert(conversion(1))
    run = materialize(duck_destination(**change), instance)
    assert not run.success
    assert sentence in run.failure
    assert "\n" not in run.failure
    assert receiver.inbox.summary()["requests"] == 0


def test_the_event_log_holds_no_chain_of_exceptions(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    """A cause or a context would carry the driver's own text, which quotes values."""
    duck.insert(conversion(1))
    run = materialize(duck_destination(source__cursor="loaded_at"), instance)
    [error] = [event.step_failure_data.error for event in run.events if event.is_step_failure]
    assert error is not None
    assert (error.cause, error.context) == (None, None)


def test_a_run_beside_another_one_fails_and_sends_nothing(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    with open_context(made) as session:
        take_lease(session, "a run at the command line")
        run = materialize(made, instance)
    assert run.failure.startswith("run a run at the command line is at work on this destination")
    assert receiver.inbox.summary()["requests"] == 0


@pytest.mark.parametrize("tag", BY_ITSELF)
def test_a_run_that_nobody_asked_for_skips_beside_another_one(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    tag: str,
) -> None:
    """It overlaps where a scheduled run takes longer than its interval; that is no failure."""
    duck.insert(conversion(1))
    made = duck_destination()
    with open_context(made) as session:
        take_lease(session, "a run at the command line")
        run = materialize(made, instance, tags={tag: "acme"})
    assert run.success
    assert (run.steps("STEP_SKIPPED"), run.materializations) == (["settle"], [])
    assert str(run.values["skipped"]).startswith("run a run at the command line is at work on")
    assert receiver.inbox.summary()["requests"] == 0


def retried(duck_destination: Make, instance: dg.DagsterInstance) -> list[str]:
    """Run the asset in a job whose author asked for three more attempts;
    steps that Dagster tried again.
    """
    definitions = load_definitions(duck_destination())
    job = dg.define_asset_job(
        "insistent",
        selection=list(definitions.assets or []),
        op_retry_policy=dg.RetryPolicy(max_retries=3),
    )  # type: ignore[arg-type]
    resolved = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def(
        "insistent"
    )
    result = resolved.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    return [str(event.step_key) for event in result.all_events if event.is_step_up_for_retry]


def test_a_retry_policy_does_not_multiply_attempts(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    assert retried(duck_destination, instance) == []
    assert receiver.inbox.summary()["requests"] == 1


def test_a_retry_policy_does_not_repeat_a_plan_that_failed(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=None), conversion(2))
    assert retried(duck_destination, instance) == []


def test_a_state_that_was_lost_is_noticed_by_dagsters_own_history(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    made = duck_destination()
    assert materialize(made, instance).success
    shutil.rmtree(project.root / ".capi")
    refused = materialize(made, instance)
    assert (
        "Dagster has materialized this asset before, but the state knows nothing of it"
        in refused.failure
    )
    assert receiver.inbox.summary()["requests"] == 5
    put_watermark(made, "now")
    assert materialize(made, instance).found_nothing
    assert receiver.inbox.summary()["requests"] == 5


def test_a_first_run_that_failed_is_no_lost_state(
    duck_destination: Make,
    duck: DuckDb,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a materialization counts:
    after a failure there may be no state, and the next run is welcome.
    """
    duck.insert(conversion(1))
    assert not materialize(duck_destination(source__query="sql/gone.sql"), instance).success
    assert materialize(duck_destination(), instance).counts("delivered") == (1,)


def test_a_new_dagster_home_goes_on_where_the_state_stands(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    made = duck_destination()
    materialize(made, instance)
    with dg.DagsterInstance.ephemeral() as other:
        assert materialize(made, other).found_nothing
    assert receiver.inbox.summary()["requests"] == 5
