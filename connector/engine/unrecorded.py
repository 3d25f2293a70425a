"""Runs that leave no trace in the state: dry runs, and runs in the platform's test mode."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from connector.config.destination import Destination
from connector.config.validate import test_mode_problem
from connector.engine.bounds import first_watermark
from connector.engine.checkpoint import NullCheckpointer
from connector.engine.context import RunContext
from connector.engine.guards import inspect_source
from connector.engine.pipeline import Progress, count_pages, deliver_pages
from connector.engine.plan import Options
from connector.engine.planner import plan_slices
from connector.engine.report import COUNTS, Report
from connector.engine.run import failure_of
from connector.engine.slice_reader import read_slices
from connector.errors import ConfigError


def is_recorded(destination: Destination, options: Options) -> bool:
    """Whether a run leaves a trace: neither a dry run nor a test may use up what waits."""
    return options.recorded and not destination.model.test_mode


def in_mode(destination: Destination, options: Options) -> Destination:
    """The destination as this run uses it: in the platform's test mode, where that was asked for.

    Raises:
        ConfigError: The platform has no test mode.
    """
    if not options.test_mode or destination.model.test_mode:
        return destination
    model = destination.model.model_copy(update={"test_mode": True})
    problem = test_mode_problem(model, destination.platform)
    if problem is not None:
        raise ConfigError(f"{destination.name}: {problem}")
    return replace(destination, model=model)


def run_unrecorded(
    context: RunContext, options: Options, progress: Progress | None = None
) -> Report:
    """Do a dry run, or a run in the platform's test mode: nothing is recorded.

    Args:
        context: The destination.
        options: What the run was asked to do; `dry_run` sends nothing.
        progress: Notified of the rows that wait and of those that are done.
    """
    started = context.clock()
    after = (context.watermark() if context.destination_id else None) or first_watermark(context)
    inspect_source(context, after)
    expect_waiting(context, options, progress)
    checkpointer, failure = NullCheckpointer(), None
    slices = plan_slices(context, after, replace(options, replay_rejected=False))
    pages = read_slices(context, slices, options)
    if options.dry_run:
        count_pages(pages, checkpointer, progress)
    else:
        with context.sender(accept_all=True) as sender:
            error = deliver_pages(pages, sender, checkpointer, progress)
            failure = failure_of(context, sender, error)
    cursor = None if after is None else after.cursor
    counts: dict[str, Any] = {
        name: checkpointer.counts[name] for name in (*COUNTS, "changed", "unsent")
    }
    return Report(
        uuid.uuid4().hex,
        **counts,
        mark_from=cursor,
        mark_to=cursor,
        complete=failure is None,
        seconds=round((context.clock() - started).total_seconds(), 3),
        tallies={kind: dict(names) for kind, names in checkpointer.tallies.items()},
        facts=context.facts,
        failure=failure,
    )


def expect_waiting(context: RunContext, options: Options, progress: Progress | None) -> None:
    """Notify the progress of how many rows this run will read.

    Args:
        context: The destination.
        options: What the run was asked to do; `limit` is the most that it reads.
        progress: Notified, if there is one.
    """
    if progress is not None:
        waiting = int(context.facts.get("waiting") or 0)
        progress.expect(waiting if options.limit is None else min(waiting, options.limit))
