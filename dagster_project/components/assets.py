"""The asset of one destination: plan -> deliver each slice -> settle."""

# No `from __future__ import annotations`: Dagster reads the annotations of ops.

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import dagster as dg

from connector import (
    ConnectorError,
    Destination,
    LeaseHeld,
    Plan,
    Planned,
    Report,
    RunFailure,
    RunStopped,
    Slice,
)
from connector.engine.slice_ends import SliceEnd
from connector.engine.unrecorded import is_recorded as leaves_trace
from connector.errors import StateMismatch
from dagster_project.components.checks import check_specs
from dagster_project.components.logs import forwarded
from dagster_project.components.outcome import (
    show_failure,
    show_source,
    show_success,
    show_unrecorded,
)
from dagster_project.components.run_config import CONFIG, options_of
from dagster_project.components.translator import source_key
from dagster_project.executor import refuse_local_state
from dagster_project.resources import CapiResource

Result = TypeVar("Result")

BY_ITSELF = ("dagster/schedule_name", "dagster/sensor_name", "dagster/from_automation_condition")
"""Tags of runs that no person asked for."""


def build_asset(destination: Destination, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    """A graph asset whose middle step runs once for each slice, on any executor.

    Args:
        destination: Where to.
        spec: How the asset looks.
    """
    key, checks = spec.key, check_specs(spec.key)
    name = key.to_python_identifier()  # as Dagster calls the graph
    outputs = {check.name: f"{name}_{check.name}" for check in checks}
    upstream = {f"upstream_{number}": dep for number, dep in enumerate(spec.deps)}
    table = source_key(destination)
    is_observed = table in {dep.asset_key for dep in spec.deps}

    @dg.op(
        name=f"{name}_plan",
        config_schema=CONFIG,
        ins={each: dg.In(dg.Nothing) for each in upstream},
        out={
            "work": dg.Out(dict, is_required=False),
            "slices": dg.DynamicOut(dict),
        },
    )
    def plan_op(context: dg.OpExecutionContext, capi: CapiResource) -> Iterator[Any]:
        """Take the lease, settle what an interrupted run left, cut the rest into slices."""
        work = _failing(context, lambda: _plan(context, capi, destination, key))
        if work is None:
            return
        if work["failure"]:
            report = _failing(context, lambda: _settle(capi, destination, work))
            failure = show_failure(context, destination, key, report)
            raise failure or dg.Failure(work["failure"]["message"], allow_retries=False)
        yield dg.Output(work, "work")
        for each in work["plan"]["slices"] if work["plan"] else []:
            yield dg.DynamicOutput(
                each, mapping_key=f"{each['kind']}_{each['number']}", output_name="slices"
            )

    @dg.op(
        name=f"{name}_deliver",
        pool=f"capi/{destination.name}",
        out=dg.Out(dict, is_required=False),
    )
    def deliver_op(
        context: dg.OpExecutionContext,
        capi: CapiResource,
        work: dict,  # type: ignore[type-arg]
        work_slice: dict,  # type: ignore[type-arg]
    ) -> Iterator[Any]:
        """Send one slice; what became of it is in the state. The last one settles a failed run."""
        planned, each = Plan.from_json(work["plan"]), Slice.from_json(work_slice)
        failure = _failing(context, lambda: _deliver(capi, destination, planned, each))
        end = _failing(context, lambda: capi.end_slice(destination, planned, each, failure))
        shown = None
        if end.must_settle:
            report = _failing(context, lambda: _settle_failed(capi, destination, planned, end))
            if report is not None:
                shown = show_failure(context, destination, key, report)
        if failure is None:
            yield dg.Output({})
        elif end.is_new_cause:
            metadata = {} if shown is None else shown.metadata
            raise dg.Failure(failure.message, metadata=metadata, allow_retries=False)
        else:
            context.log.error(failure.message)

    @dg.op(
        name=f"{name}_settle",
        out={
            output: dg.Out(dg.Nothing, is_required=False)
            for output in ("result", *outputs.values())
        },
    )
    def settle_op(
        context: dg.OpExecutionContext,
        capi: CapiResource,
        work: dict,  # type: ignore[type-arg]
        delivered: list,  # type: ignore[type-arg]
    ) -> Iterator[Any]:
        """End a run whose slices are all complete, and show its counts."""
        report = _failing(context, lambda: _settle(capi, destination, work))
        is_recorded = work["plan"] is not None
        if is_recorded and is_observed:
            show_source(context, table, report)
        failure = show_failure(context, destination, key, report, is_recorded=is_recorded)
        if failure is not None:
            raise failure
        if is_recorded:
            yield from show_success(context, destination, key, report)
        else:
            show_unrecorded(context, key, report)

    def compose(**inputs: Any) -> Any:
        work, slices = plan_op.alias("plan")(**inputs)
        delivered = slices.map(lambda each: deliver_op.alias("deliver")(work, each)).collect()
        settled = settle_op.alias("settle")(work, delivered)
        return {
            "result": settled.result,
            **{output: getattr(settled, output) for output in outputs.values()},
        }

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(each, kind) for each in upstream])
    vars(compose)["__signature__"] = signature  # Dagster asks it for the names of inputs
    asset = dg.graph_asset(
        key=key,
        ins={
            each: dg.AssetIn(
                key=dep.asset_key,
                dagster_type=dg.Nothing,
                partition_mapping=dep.partition_mapping,
                metadata=dep.metadata,
            )
            for each, dep in upstream.items()
        },
        check_specs=checks,
        config=dg.ConfigMapping(lambda config: {"plan": {"config": config}}, config_schema=CONFIG),
    )(compose)
    return asset.map_asset_specs(
        lambda made: made.replace_attributes(
            description=spec.description,
            group_name=spec.group_name,
            owners=spec.owners,
            tags=spec.tags,
            metadata={**made.metadata, **spec.metadata},
            freshness_policy=spec.freshness_policy,
            automation_condition=spec.automation_condition,
            code_version=spec.code_version,
        )
    )


def _failing(context: dg.OpExecutionContext, step: Callable[[], Result]) -> Result:
    """Do a step of the connector; its log goes to the run's, its error fails the Dagster step.

    The failure is raised outside of the handler, so that Dagster stores no chain of exceptions.
    """
    try:
        with forwarded(context.log):
            return step()
    except ConnectorError as error:
        message = str(error)
    raise dg.Failure(message, allow_retries=False)


def _plan(
    context: dg.OpExecutionContext, capi: CapiResource, destination: Destination, key: dg.AssetKey
) -> dict[str, Any] | None:
    """A plan as plain data; a run that leaves no trace is done right here.

    Returns:
        None where a run that no person asked for meets another one at work.
    """
    refuse_local_state(destination, context.job_def.executor_def.name, capi.state.url)
    options = options_of(context.op_config)
    if not leaves_trace(destination, options):
        report = capi.run_unrecorded(destination, options)
        return {"plan": None, "report": vars(report), "failure": None}
    _refuse_lost_state(context, capi, destination, key)
    try:
        planned = capi.plan(destination, options, context.run_id)
    except LeaseHeld as error:
        if not any(tag in context.run.tags for tag in BY_ITSELF):
            raise
        context.log.warning(f"skipped: {error}")
        context.log_event(dg.AssetObservation(asset_key=key, metadata={"skipped": str(error)}))
        return None
    return {**planned.to_json(), "report": None}


def _refuse_lost_state(
    context: dg.OpExecutionContext, capi: CapiResource, destination: Destination, key: dg.AssetKey
) -> None:
    """Dagster remembers materializations; a state that knows nothing of them was lost."""
    with capi.session(destination) as session:
        unknown = session.destination_id == 0
    if unknown and context.instance.get_latest_materialization_event(key) is not None:
        raise StateMismatch(
            f"{destination.name}: Dagster has materialized this asset before, but the state knows"
            " nothing of it. Restore the state database; or, to begin anew, run"
            f" `capi resolve {destination.name} --restart all|now|TIMESTAMP`"
        )


def _deliver(
    capi: CapiResource, destination: Destination, planned: Plan, each: Slice
) -> RunFailure | None:
    """Deliver a slice; what kept it from the start is a failure of it too, once the run goes on."""
    try:
        return capi.deliver(destination, planned, each)
    except RunStopped:
        raise
    except ConnectorError as error:
        return RunFailure.of(error)


def _settle_failed(
    capi: CapiResource, destination: Destination, planned: Plan, end: SliceEnd
) -> Report | None:
    """End a run that failed; None where a slice that ended at the same moment did so."""
    try:
        return capi.settle(destination, planned, end.failure)
    except RunStopped:
        return None


def _settle(capi: CapiResource, destination: Destination, work: dict[str, Any]) -> Report:
    """End a run; one that left no trace ended when it was planned."""
    if work["plan"] is None:
        return Report(**work["report"])
    planned = Planned.from_json(work)
    return capi.settle(destination, planned.plan, planned.failure)
