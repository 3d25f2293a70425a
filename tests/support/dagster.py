"""A destination as Dagster loads it, run as Dagster runs it,
and what is left of a run in its event log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from connector.config.destination import Destination
from connector.config.loader import load
from dagster_project.components import CapiDestination

SETTINGS = "telemetry:\n  enabled: false\n"
"""`dagster.yaml` of an instance that talks to nobody."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


CHECKS = {
    "reconciled",
    "rejection_rate",
    "late_rows",
    "match_keys",
    "lag",
    "completeness",
    "receipt",
    "api_version",
    "watermark_ahead",
}
"""Those of every destination."""


def load_definitions(
    destination: Destination, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """All that one `defs.yaml` gives. resources: in place of those that it brings."""
    built = CapiDestination(destination).build_defs(dg.ComponentTree.for_test().load_context)
    return dg.Definitions(
        assets=built.assets,
        jobs=built.jobs,
        schedules=built.schedules,
        sensors=built.sensors,
        resources=built.resources if resources is None else resources,
        executor=built.executor,
    )


def persistent_instance(home: Path) -> dg.DagsterInstance:
    """The instance in a DAGSTER_HOME; the environment must name the folder already."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(SETTINGS, encoding="utf-8")
    return dg.DagsterInstance.get()


class Run:
    """One run, read back from the event log."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self.run_id = run_id
        record = instance.get_run_by_id(run_id)
        assert record is not None
        self.success = record.is_success
        self.events = [
            entry.dagster_event
            for entry in instance.all_logs(run_id)
            if entry.dagster_event is not None
        ]
        self.materializations = [
            event.step_materialization_data.materialization
            for event in self.events
            if event.is_step_materialization
        ]
        observed = [
            event.asset_observation_data.asset_observation
            for event in self.events
            if event.is_asset_observation
        ]
        self.sources = [each for each in observed if each.asset_key.path[0] == "warehouse"]
        self.observations = [each for each in observed if each not in self.sources]
        evaluations = [
            event.asset_check_evaluation_data
            for event in self.events
            if event.event_type_value == "ASSET_CHECK_EVALUATION"
        ]
        self.checks = {each.check_name: each for each in evaluations}

    @property
    def metadata(self) -> dict[str, dg.MetadataValue[Any]]:
        """Metadata of the materialization; of a failed run, of what it observed."""
        [shown] = self.materializations or self.observations
        return dict(shown.metadata)

    @property
    def found_nothing(self) -> bool:
        """Whether the run was good and left the asset's page as it was."""
        shown = [set(each.metadata) for each in self.observations]
        is_good = self.success and not self.materializations
        return is_good and shown in (
            [{"backlog", "lag_seconds", "run_id"}],
            [{"backlog", "lag_seconds", "run_id", "watermark"}],
        )

    @property
    def values(self) -> dict[str, Any]:
        """The metadata as plain values."""
        return {label: each.value for label, each in self.metadata.items()}

    def counts(self, *names: str) -> tuple[Any, ...]:
        """Some of the values."""
        return tuple(self.values[name] for name in names)

    def table(self, label: str) -> dict[str, int]:
        """A table of the metadata: its first column -> its second."""
        shown = self.metadata[label]
        assert isinstance(shown, dg.TableMetadataValue)
        assert shown.schema is not None
        name, counted = (column.name for column in shown.schema.columns)
        return {str(record.data[name]): int(str(record.data[counted])) for record in shown.records}

    @property
    def failed_steps(self) -> dict[str, str]:
        """Step -> why it failed, as a person reads it."""
        found = {}
        for event in self.events:
            if event.is_step_failure:
                failure = event.step_failure_data
                description = (
                    failure.user_failure_data.description
                    if failure.user_failure_data is not None
                    else None
                )
                found[str(event.step_key).rpartition(".")[2]] = description or (
                    failure.error.message if failure.error is not None else ""
                )
        return found

    @property
    def failure(self) -> str:
        """Why the one step that failed did so."""
        [message] = self.failed_steps.values()
        return message

    @property
    def failure_values(self) -> dict[str, Any]:
        """Metadata of the `Failure` that ended the run."""
        [data] = [
            event.step_failure_data.user_failure_data
            for event in self.events
            if event.is_step_failure
        ]
        return {} if data is None else {label: each.value for label, each in data.metadata.items()}

    def steps(self, kind: str) -> list[str]:
        """Steps that have an event of a kind,
        such as STEP_SUCCESS or STEP_UP_FOR_RETRY, without the name of the asset.
        """
        return [
            str(event.step_key).rpartition(".")[2]
            for event in self.events
            if event.event_type_value == kind
        ]


def op_config(destination: Destination, **config: Any) -> dict[str, Any]:
    """What a person types into the launchpad."""
    return {
        "ops": {f"{destination.platform_name}__{destination.name}": {"config": config}},
        **QUIET,
    }


def materialize(
    destination: Destination,
    instance: dg.DagsterInstance,
    *,
    resources: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    **config: Any,
) -> Run:
    """Materialize a destination's asset in this process. config, tags: of the run."""
    definitions = load_definitions(destination, resources)
    result = dg.materialize(
        list(definitions.assets or []),
        instance=instance,
        resources=definitions.resources,
        run_config=op_config(destination, **config),
        tags=dict(tags or {}),
        raise_on_error=False,
    )
    return Run(instance, result.run_id)


def multiprocess_job(name: str, root: str, environment: Mapping[str, str]) -> dg.JobDefinition:
    """The asset's job with a process for each step."""
    return _job(name, root, environment, dg.multiprocess_executor)


def celery_job(name: str, root: str, environment: Mapping[str, str]) -> dg.JobDefinition:
    """The asset's job with a Celery task for each step."""
    from dagster_celery import celery_executor

    return _job(name, root, environment, celery_executor)


def job_by_setting(name: str, root: str, environment: Mapping[str, str]) -> dg.JobDefinition:
    """The asset's job with the executor that CAPI_EXECUTOR names."""
    return _job(name, root, environment, None)


@dg.executor(name="elsewhere", requirements=multiple_process_executor_requirements())
def elsewhere(_context: dg.InitExecutorContext) -> Any:
    """An executor that the connector does not know; it runs steps in this process."""
    return InProcessExecutor(retries=RetryMode.DISABLED)


def _job(
    name: str, root: str, environment: Mapping[str, str], executor: dg.ExecutorDefinition | None
) -> dg.JobDefinition:
    """Each step builds it anew. environment: what it finds there."""
    os.environ |= environment
    definitions = load_definitions(
        load(Path(root) / "dagster_project" / "defs" / name / "defs.yaml", Path(root))
    )
    job = dg.define_asset_job(
        "deliver", selection=list(definitions.assets or []), executor_def=executor
    )  # type: ignore[arg-type]
    return dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("deliver")


PROCESSES = {
    "max_concurrent": 2,
    "start_method": {"forkserver": {"preload_modules": ["tests.support.dagster"]}},
}
"""Two steps at a time; processes are forked from one that has imported everything,
which saves four seconds a step.
"""


def materialize_in_processes(
    destination: Destination,
    instance: dg.DagsterInstance,
    *,
    again: Run | None = None,
    **config: Any,
) -> Run:
    """Materialize with the multiprocess executor.

    again: a failed run to go on with, as the UI's "re-execute from failure" does.
    """
    with dg.execute_job(
        _reconstructable("multiprocess_job", destination),
        instance=instance,
        run_config={**op_config(destination, **config), "execution": {"config": PROCESSES}},
        reexecution_options=None
        if again is None
        else dg.ReexecutionOptions.from_failure(again.run_id, instance),
        raise_on_error=False,
    ) as result:
        return Run(instance, result.run_id)


def materialize_by_setting(destination: Destination, instance: dg.DagsterInstance) -> Run:
    """Materialize with the executor that CAPI_EXECUTOR names."""
    with dg.execute_job(
        _reconstructable("job_by_setting", destination),
        instance=instance,
        run_config=op_config(destination),
        raise_on_error=False,
    ) as result:
        return Run(instance, result.run_id)


def _reconstructable(name: str, destination: Destination) -> Any:
    """A job of this module that each process builds anew, with what it finds in the environment."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("CAPI_", "ACME_", "WAREHOUSE_", "DAGSTER_"))
    }
    return dg.build_reconstructable_job(
        "tests.support.dagster", name, (destination.name, str(destination.root), environment)
    )
