"""Shows what a run did on the page of its asset: its counts, its checks, its failure."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from connector import Destination, Report
from connector.engine.outcome import problem_of
from dagster_project.components.checks import check_results
from dagster_project.components.metadata import link_of, metadata_of, source_of, standing_of


def show_failure(
    context: dg.OpExecutionContext,
    destination: Destination,
    key: dg.AssetKey,
    report: Report,
    *,
    is_recorded: bool = True,
) -> dg.Failure | None:
    """Show what a run did that was not as it should be; nothing was materialized.

    Args:
        context: Of the step that ends the run.
        destination: Where to.
        key: Of the asset.
        report: What the run did.
        is_recorded: Whether the run leaves a trace; checks say nothing of one that does not.

    Returns:
        The failure to raise; None where the run is good, and nothing was shown.
    """
    problem = problem_of(destination, report)
    if problem is None:
        return None
    metadata = {**metadata_of(report), **link_of(destination)}
    context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))
    for result in check_results(destination, key, report) if is_recorded else []:
        context.log_event(_evaluation(result))
    return dg.Failure(problem.message, metadata=metadata, allow_retries=False)


def show_success(
    context: dg.OpExecutionContext, destination: Destination, key: dg.AssetKey, report: Report
) -> Iterator[Any]:
    """Yield a materialization and the results of checks.

    A run that found nothing leaves the page with the numbers of the last delivery: how far behind
    the destination is becomes an observation.

    Args:
        context: Of the step that ends the run.
        destination: Where to.
        key: Of the asset.
        report: What the run did.
    """
    if report.found_nothing:
        standing = {**standing_of(report), **link_of(destination)}
        context.log_event(dg.AssetObservation(asset_key=key, metadata=standing))
    else:
        yield dg.Output(None, "result", metadata={**metadata_of(report), **link_of(destination)})
    yield from check_results(destination, key, report)


def show_unrecorded(context: dg.OpExecutionContext, key: dg.AssetKey, report: Report) -> None:
    """Show a run that leaves no trace, such as a dry run."""
    context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata_of(report)))


def show_source(context: dg.OpExecutionContext, source: dg.AssetKey, report: Report) -> None:
    """Show on the page of the warehouse table how many rows it has, and how far it is delivered."""
    context.log_event(dg.AssetObservation(asset_key=source, metadata=source_of(report)))


def _evaluation(result: dg.AssetCheckResult) -> Any:
    """A check's result as the event of a step that fails."""
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,  # type: ignore[arg-type]
        check_name=str(result.check_name),
        passed=result.passed,
        metadata=dict(result.metadata),
        severity=result.severity,
    )
