"""What waits to be delivered: asked by runs before they begin, by `capi status` and by sensors."""

from __future__ import annotations

from connector.engine.bounds import first_watermark, lookback_range
from connector.engine.context import RunContext
from connector.model import Mark, Range
from connector.source.survey import Survey
from connector.state.lease import holder


def survey(context: RunContext, after: Mark | None) -> Survey:
    """What waits behind a place, usually the watermark.

    A watermark without a key stands before rows of its own cursor value that may be recorded
    already; those do not wait.
    """
    found = context.warehouse.survey(after)
    if after is None or after.key is not None or not found.waiting or not context.destination_id:
        return found
    own = Range(after, after, found.before)
    if context.page_builder().any_missing(own):
        return found
    return context.warehouse.survey(Mark(after.cursor, ()))


def lag_seconds(context: RunContext, found: Survey) -> float:
    """Age of the oldest row that waits, in seconds; 0 where none does or the cursor is no time."""
    cursor = context.cursor()
    oldest = None if cursor is None or found.oldest is None else cursor.moment_of(found.oldest)
    return 0.0 if oldest is None else max((found.now - oldest).total_seconds(), 0.0)


def anything_waits(context: RunContext, *, late: bool) -> bool:
    """Whether a run would find rows.

    Args:
        context: The destination.
        late: Look behind the watermark too, which reads all keys within `lookback`.
    """
    after = (context.watermark() if context.destination_id else None) or first_watermark(context)
    if survey(context, after).waiting:
        return True
    behind = lookback_range(context, after) if late and context.destination_id else None
    return behind is not None and context.page_builder().any_missing(behind)


def run_at_work(context: RunContext) -> str | None:
    """The run that is at work on this destination, if one is."""
    with context.store.read() as connection:
        return holder(connection, context.destination_id)
