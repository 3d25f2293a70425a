"""A run in three steps, each of which may live in a process of its own, for orchestrators.

`plan` says what the run will do, `deliver` does one slice of it, `settle` ends it. A `Plan`, a
`Slice` and a `RunFailure` are plain data (`to_json`, `from_json`); what must last is in the state.
"""

from __future__ import annotations

from connector.config.loader import Target, destination_of
from connector.engine import run as steps
from connector.engine.context import open_context
from connector.engine.plan import Options, Plan, Slice
from connector.engine.report import Report, RunFailure
from connector.engine.run import Planned
from connector.engine.unrecorded import in_mode


def plan(
    target: Target,
    *,
    options: Options = Options(),  # noqa: B008  frozen
    run_id: str | None = None,
    state: str | None = None,
) -> Planned:
    """Take the lease, settle what a killed run left, and cut what waits into slices.

    Args:
        target: The destination, or the path of its YAML file.
        options: How this run differs from the schedule's; neither `dry_run` nor `test_mode`, which
            are for `sync`.
        run_id: Its name; default: a new one.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        The plan; and why nothing of it may be begun, if so: then it has no slices, and must be
        settled with that failure.

    Raises:
        ConfigError, LeaseHeld, GuardRail, Postponed, WarehouseError: The run may not begin.
    """
    with open_context(destination_of(target), state=state) as context:
        return steps.plan(context, options, run_id=run_id)


def deliver(
    target: Target, planned: Plan, each: Slice, *, state: str | None = None
) -> RunFailure | None:
    """Deliver one slice; its counts are in the state.

    A step that was cut off may be run again: it goes on from what is recorded.

    Args:
        target: The destination, or the path of its YAML file.
        planned: What `plan` gave.
        each: One of its slices.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        Why it ended early, if it did.

    Raises:
        RunStopped: The run ended before.
    """
    destination = in_mode(destination_of(target), planned.options)
    with open_context(destination, state=state) as context:
        return steps.deliver(context, planned, each)


def settle(
    target: Target,
    planned: Plan,
    failure: RunFailure | None = None,
    *,
    state: str | None = None,
) -> Report:
    """End the run and give its lease back.

    Args:
        target: The destination, or the path of its YAML file.
        planned: What `plan` gave.
        failure: The first one that `plan` or a `deliver` gave.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        RunStopped: That was done before.
    """
    with open_context(destination_of(target), state=state) as context:
        return steps.settle(context, planned, failure)
