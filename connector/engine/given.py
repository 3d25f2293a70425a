"""A run over rows that a program gives: the same ledger, verdicts and report; no watermark."""

from __future__ import annotations

from connector.engine.context import RunContext
from connector.engine.guards import refuse_too_early
from connector.engine.pipeline import Progress
from connector.engine.plan import Options, Plan, Slice
from connector.engine.run import (
    Planned,
    abort,
    settle_leftovers,
    status_of_refusal,
    take_lease,
)
from connector.state.lease import Heartbeat


def prepare_given(
    context: RunContext, *, run_id: str | None = None, progress: Progress | None = None
) -> Planned:
    """Take the lease, settle what an interrupted run left, and plan one slice of all given rows.

    Args:
        context: The destination, with the rows in place of its warehouse.
        run_id: Name of the run; default: a new one.
        progress: Notified of rows that recovery settles.

    Raises:
        ConfigError, LeaseHeld, Postponed, WarehouseError: The run may not begin.
    """
    held = take_lease(context, run_id, "send")
    try:
        with Heartbeat(context.store, held):
            refuse_too_early(context)
            place = context.watermark()
            failure = settle_leftovers(context, held, False, progress)
    except BaseException as error:
        abort(context, held, status_of_refusal(error), error)
        raise
    plan = Plan(
        run_id=held.owner,
        token=held.token,
        destination_id=held.destination_id,
        mark_from=None if place is None else place.cursor,
        slices=[Slice(0, "given")] if failure is None else [],
        options=Options(),
        kind="send",
    )
    return Planned(plan, failure)
