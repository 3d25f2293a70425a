"""When a destination runs by itself: the polling sensor,
and the job that looks for rows without a record.
"""

from __future__ import annotations

import os

import dagster as dg
import pytest

from connector.commands.status import status
from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.engine.run import take_lease
from connector.sandbox.server import Receiver
from dagster_project.resources import CapiResource, State, Warehouse
from tests.conftest import Make
from tests.support.dagster import load_definitions, materialize
from tests.support.following import following, until
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion

KEY = dg.AssetKey(["capi", "acme"])


def poll(
    destination: Destination, instance: dg.DagsterInstance
) -> tuple[list[dg.RunRequest], str | None]:
    """One tick of the sensor: what it asks for, or why it asks for nothing."""
    definitions = load_definitions(destination)
    with dg.build_sensor_context(
        instance, definitions=definitions, resources=definitions.resources
    ) as context:
        tick = definitions.resolve_sensor_def("acme_poll").evaluate_tick(context)
    return list(tick.run_requests or []), tick.skip_message


def begin_run(
    destination: Destination,
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    status: dg.DagsterRunStatus,
) -> None:
    """A run of the asset that Dagster knows of."""
    job = load_definitions(destination).resolve_implicit_global_asset_job_def()
    instance.create_run_for_job(
        job,
        tags=tags,
        status=status,
        asset_selection={dg.AssetKey([destination.platform_name, destination.name])},
    )


def test_a_destination_that_is_followed_is_left_alone(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s")
    with following(made) as followed:
        until(lambda: receiver.inbox.summary()["events"])
        requests, skipped = poll(made, instance)
    assert (requests, followed.error) == ([], None)
    assert skipped is not None
    assert skipped.endswith("is still at work")


def test_a_waiting_row_starts_a_run(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    requests, skipped = poll(duck_destination(poll="30s"), instance)
    assert ([request.tags["capi/destination"] for request in requests], skipped) == (["acme"], None)


def test_the_run_that_was_asked_for_delivers_and_then_nothing_waits(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s")
    assert materialize(made, instance).counts("delivered") == (1,)
    assert poll(made, instance) == ([], "no rows wait")
    duck.insert(conversion(2))
    assert len(poll(made, instance)[0]) == 1


def test_an_empty_table_starts_no_run(duck_destination: Make, instance: dg.DagsterInstance) -> None:
    assert poll(duck_destination(poll="30s"), instance) == ([], "no rows wait")


def test_a_row_younger_than_the_lag_starts_no_run(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=ago(seconds=10)))
    assert poll(duck_destination(poll="30s"), instance) == ([], "no rows wait")


def test_rows_from_before_the_start_start_no_run(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    assert poll(duck_destination(poll="30s", source__start="now"), instance) == ([], "no rows wait")


@pytest.mark.parametrize(
    "stage",
    [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
)
def test_a_run_of_the_sensor_that_is_under_way_is_waited_for(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance, stage: dg.DagsterRunStatus
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s")
    begin_run(made, instance, {"capi/destination": "acme"}, stage)
    assert poll(made, instance) == ([], "a run is still in progress")


def test_runs_of_other_destinations_and_runs_that_ended_are_not_waited_for(
    project: Project, duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s")
    project.write("env:WAREHOUSE_URL", "https://px.dsp.example/conversion", "other")
    begin_run(
        project.load("other"), instance, {"capi/destination": "other"}, dg.DagsterRunStatus.STARTED
    )
    begin_run(made, instance, {"capi/destination": "acme"}, dg.DagsterRunStatus.FAILURE)
    assert len(poll(made, instance)[0]) == 1


def test_a_run_of_the_schedule_or_of_a_person_is_waited_for_as_well(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s", schedule="@hourly")
    begin_run(
        made, instance, {"dagster/schedule_name": "acme_schedule"}, dg.DagsterRunStatus.STARTED
    )
    assert poll(made, instance)[0] == []


def test_a_run_at_the_command_line_is_waited_for_as_well(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(poll="30s")
    with open_context(made) as session:
        take_lease(session, "a run at the command line")
        requests, _ = poll(made, instance)
    assert requests == []


def test_a_row_that_was_committed_late_starts_a_run(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=1)))
    made = duck_destination(poll="30s")
    materialize(made, instance)
    duck.insert(conversion(2, updated_at=ago(hours=2)))
    assert len(poll(made, instance)[0]) == 1


def test_an_unreachable_warehouse_is_a_sentence_and_no_run(
    duck_destination: Make, duck: DuckDb, instance: dg.DagsterInstance
) -> None:
    made = duck_destination(poll="30s")
    os.rename(duck.path, duck.path.with_suffix(".moved"))
    requests, skipped = poll(made, instance)
    assert requests == []
    assert skipped is not None
    assert skipped.startswith("acme: there is no DuckDB file at the address in source.warehouse")


def reconcile(
    destination: Destination, instance: dg.DagsterInstance, **config: object
) -> dg.ExecuteInProcessResult:
    """Run the destination's reconcile job."""
    job = load_definitions(destination).resolve_job_def("acme_reconcile")
    return job.execute_in_process(
        instance=instance,
        run_config={"ops": {"reconcile": {"config": config}}},
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [output] = [event.step_output_data for event in result.all_events if event.is_successful_output]
    return {label: value.value for label, value in output.metadata.items()}


def test_reconciling_finds_and_delivers_a_row_that_lookback_is_too_short_for(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    duck.insert(conversion(1, updated_at=ago(days=5)), conversion(2, updated_at=ago(hours=1)))
    made = duck_destination()
    materialize(made, instance)
    duck.insert(conversion(3, updated_at=ago(days=4)))
    assert materialize(made, instance).found_nothing
    assert metadata(reconcile(made, instance, send=False)) == {"rows": 3, "missing": 1, "sent": 0}
    assert receiver.inbox.summary()["events"] == 2
    assert metadata(reconcile(made, instance)) == {"rows": 3, "missing": 1, "sent": 0}
    observed = instance.fetch_observations(dg.AssetKey(["capi", "acme"]), limit=1).records[0]
    assert observed.asset_observation is not None
    assert observed.asset_observation.metadata["reconciled_missing"].value == 1
    made = duck_destination(reconcile={"send": True})
    assert metadata(reconcile(made, instance)) == {"rows": 3, "missing": 1, "sent": 1}
    assert receiver.inbox.summary()["events"] == 3
    assert metadata(reconcile(made, instance)) == {"rows": 3, "missing": 0, "sent": 0}
    assert status(made).runs[0]["kind"] == "reconcile"


def test_reconciling_fails_in_a_sentence_while_the_platform_refuses(
    duck_destination: Make,
    duck: DuckDb,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=1)))
    made = duck_destination()
    materialize(made, instance)
    duck.insert(conversion(2, updated_at=ago(days=4)))
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    result = reconcile(made, instance, send=True)
    [failure] = [
        event.step_failure_data.user_failure_data
        for event in result.all_events
        if event.is_step_failure
    ]
    assert failure is not None
    assert failure.description is not None
    assert "401" in failure.description


def test_reconciling_uses_the_warehouse_and_state_of_the_resources(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1, updated_at=ago(hours=1)))
    made = duck_destination()
    warehouse, state = Warehouse(), State(url=f"sqlite:///{project.root / 'elsewhere.db'}")
    resources = {
        "warehouse": warehouse,
        "state": state,
        "capi": CapiResource(warehouse=warehouse, state=state),
    }
    materialize(made, instance, resources=resources)
    duck.insert(conversion(2, updated_at=ago(days=4)))
    job = load_definitions(made, resources).resolve_job_def("acme_reconcile")
    config = {"ops": {"reconcile": {"config": {"send": True}}}}
    assert metadata(job.execute_in_process(instance=instance, run_config=config)) == {
        "rows": 2,
        "missing": 1,
        "sent": 1,
    }
