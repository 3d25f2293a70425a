"""The asset of one destination: plan -> deliver each slice -> settle."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import dagster as dg

from connector.config.destination import Destination
from connector.engine.plan import Options, Plan, Slice
from connector.engine.report import Report, RunFailure
from connector.engine.unrecorded import is_recorded
from connector.errors import ConfigError, ConnectorError, StateMismatch
from dagster_project.components.metadata import (
    check_results,
    check_specs,
    failure_message,
    metadata_of,
)
from dagster_project.model import attributes, word
from dagster_project.resources import CapiResource

Result = TypeVar("Result")

CONFIG = {
    "dry_run": dg.Field(
        bool, default_value=False, description="read and encode, send and record nothing"
    ),
    "limit": dg.Field(dg.Noneable(int), default_value=None, description="rows at most"),
    "since": dg.Field(
        dg.Noneable(str),
        default_value=None,
        description="from this time on, with a zone; the mark stays",
    ),
    "until": dg.Field(
        dg.Noneable(str), default_value=None, description="up to this time, with a zone"
    ),
    "replay_rejected": dg.Field(
        bool, default_value=False, description="try quarantined rows again as well"
    ),
    "test_mode": dg.Field(
        bool, default_value=False, description="use the platform's test mode; nothing is recorded"
    ),
    "yes": dg.Field(
        bool,
        default_value=False,
        description="send more rows than usual, and record refusals of nearly all of them",
    ),
}
"""Run configuration, as on the command line."""


def asset_key(destination: Destination) -> dg.AssetKey:
    """`[<platform>, <destination>]`."""
    return dg.AssetKey([destination.platform_name, destination.name])


def name_of(destination: Destination) -> str:
    """The destination's name as Dagster allows it for ops, jobs, schedules and sensors: letters, digits and underscores."""
    return word(destination.name)


def build_asset(destination: Destination) -> dg.AssetsDefinition:
    """A graph asset whose middle step runs once for each slice, on any executor."""
    key, name = (
        asset_key(destination),
        word(f"{destination.platform_name}__{destination.name}"),
    )
    spec, checks = attributes(destination).asset, check_specs(destination, key)
    outputs = {check.name: f"{name}_{check.name}" for check in checks}

    @dg.op(
        name=f"{name}_plan",
        config_schema=CONFIG,
        out={"work": dg.Out(dict), "slices": dg.DynamicOut(dict)},
    )
    def plan_op(context: dg.OpExecutionContext, capi: CapiResource) -> Iterator[Any]:
        """Take the lease, settle what an interrupted run left, cut the rest into slices."""
        work = _told(lambda: _plan(context, capi, destination, key))
        yield dg.Output(work, "work")
        for each in work["plan"]["slices"] if work["plan"] else []:
            yield dg.DynamicOutput(
                each, mapping_key=f"{each['kind']}_{each['number']}", output_name="slices"
            )

    @dg.op(name=f"{name}_deliver", pool=f"capi/{destination.name}")
    def deliver_op(
        context: dg.OpExecutionContext,
        capi: CapiResource,
        work: dict,  # type: ignore[type-arg]
        work_slice: dict,  # type: ignore[type-arg]
    ) -> dict:  # type: ignore[type-arg]
        """Send one slice; what became of it is in the state."""
        failure = _told(
            lambda: capi.deliver(
                destination, Plan.from_json(work["plan"]), Slice.from_json(work_slice)
            )
        )
        if failure is not None:
            context.log.error(failure.message)
        return {} if failure is None else vars(failure)

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
        failures: list,  # type: ignore[type-arg]
    ) -> Iterator[Any]:
        """End the run and show its counts."""
        report = _told(lambda: _settle(capi, destination, work, failures))
        if work["plan"] is None:
            return _show_trial(context, destination, key, report)
        results = check_results(destination, key, report)
        if report.failure is not None or report.all_rejected:
            _show_failed_run(context, destination, key, report, results)
        yield dg.Output(None, "result", metadata=metadata_of(report))
        yield from results

    @dg.graph_asset(
        key=key,
        description=spec.description or f"Conversions delivered to {destination.platform.title}.",
        group_name=spec.group or word(destination.platform_name),
        owners=spec.owners,
        tags=spec.tags,
        kinds={"python", word(destination.platform_name)},
        check_specs=checks,
        config=dg.ConfigMapping(lambda config: {"plan": {"config": config}}, config_schema=CONFIG),
        metadata={
            "platform": destination.platform.title,
            "query": str(destination.model.source.query),
        },
    )
    def asset() -> Any:
        work, slices = plan_op.alias("plan")()
        failures = slices.map(lambda each: deliver_op.alias("deliver")(work, each)).collect()
        settled = settle_op.alias("settle")(work, failures)
        return {
            "result": settled.result,
            **{output: getattr(settled, output) for output in outputs.values()},
        }

    return _with_freshness(asset, destination)


def _told(step: Callable[[], Result]) -> Result:
    """Run a step; its errors become `RunFailure`s, raised outside the handler so that Dagster stores no chain of exceptions."""
    try:
        return step()
    except ConnectorError as error:
        message = str(error)
    raise dg.Failure(message, allow_retries=False)


def _plan(
    context: dg.OpExecutionContext, capi: CapiResource, destination: Destination, key: dg.AssetKey
) -> dict[str, Any]:
    """A plan as plain data; a run that leaves no trace is done right here."""
    options = _options(context.op_config)
    if not is_recorded(destination, options):
        return {
            "plan": None,
            "report": vars(capi.run_unrecorded(destination, options)),
            "failure": None,
        }
    _refuse_lost_state(context, capi, destination, key)
    planned, failure = capi.plan(destination, options, context.run_id)
    return {
        "plan": planned.to_json(),
        "report": None,
        "failure": None if failure is None else vars(failure),
    }


def _refuse_lost_state(
    context: dg.OpExecutionContext, capi: CapiResource, destination: Destination, key: dg.AssetKey
) -> None:
    """Dagster remembers materializations; a state that knows nothing of them was lost."""
    with capi.session(destination) as session:
        unknown = session.destination_id == 0
    if unknown and context.instance.get_latest_materialization_event(key) is not None:
        raise StateMismatch(
            f"{destination.name}: Dagster has materialized this asset before, but the state knows nothing of it. Restore the state database; or, to begin anew, run"
            f" `capi resolve {destination.name} --restart all|now|TIMESTAMP`"
        )


def _settle(
    capi: CapiResource,
    destination: Destination,
    work: dict[str, Any],
    failures: list[dict[str, Any]],
) -> Report:
    if work["plan"] is None:
        return Report(**work["report"])
    first = next(
        (RunFailure(**failure) for failure in (work["failure"], *failures) if failure), None
    )
    return capi.settle(destination, Plan.from_json(work["plan"]), first)


def _show_trial(
    context: dg.OpExecutionContext, destination: Destination, key: dg.AssetKey, report: Report
) -> None:
    """A dry run or a test shows its counts as an observation: nothing was materialized, and no check speaks of it."""
    metadata = metadata_of(report)
    context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))
    if report.failure is not None or report.all_rejected:
        raise dg.Failure(
            failure_message(destination, report), metadata=metadata, allow_retries=False
        )


def _show_failed_run(
    context: dg.OpExecutionContext,
    destination: Destination,
    key: dg.AssetKey,
    report: Report,
    results: list[dg.AssetCheckResult],
) -> None:
    """A run that fails still shows its counts, as an observation."""
    metadata = metadata_of(report)
    context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))
    for result in results:
        evaluation: Any = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=str(result.check_name),
            passed=result.passed,
            metadata=dict(result.metadata),
            severity=result.severity,
        )
        context.log_event(evaluation)
    raise dg.Failure(failure_message(destination, report), metadata=metadata, allow_retries=False)


def _options(config: dict[str, Any]) -> Options:
    """Run configuration as options. Raises ConnectorError for a time without a zone."""
    return Options(
        config["dry_run"],
        config["limit"],
        _moment(config["since"]),
        _moment(config["until"]),
        config["replay_rejected"],
        config["test_mode"],
        config["yes"],
    )


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError("since and until are times with a zone, such as 2026-01-01T00:00:00Z")
    return moment.astimezone(dt.UTC)


def _with_freshness(asset: dg.AssetsDefinition, destination: Destination) -> dg.AssetsDefinition:
    freshness = attributes(destination).asset.freshness
    if freshness is None:
        return asset
    policy = dg.FreshnessPolicy.time_window(
        fail_window=freshness.fail_after, warn_window=freshness.warn_after
    )
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
