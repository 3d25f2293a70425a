"""What waits to be delivered: asked by runs before they begin, by `capi status` and by sensors."""

from __future__ import annotations

from connector.engine.bounds import first_watermark, lookback_range
from connector.engine.context import RunContext
from connector.engine.drift import refuse_changed_types
from connector.model import Mark, Range
from connector.source.survey import Survey
from connector.state import registry
from connector.state.lease import holder

LOOK_BACK_SECONDS = 300
"""What asks again and again looks for late rows no more often: that reads all keys within
`lookback`."""


def survey(context: RunContext, after: Mark | None, *, everything: bool = False) -> Survey:
    """What waits behind a place, usually the watermark.

    A watermark without a key stands before rows of its own cursor value that may be recorded
    already; those do not wait.

    Args:
        context: The destination.
        after: The place.
        everything: Look behind it too, for rows without a key and values that have no order.

    Raises:
        StateMismatch: The type of the cursor or of a key column changed.
    """
    refuse_changed_types(context)
    found = context.warehouse.survey(after, everything=everything)
    if (
        after is None
        or after.key is not None
        or not found.at_watermark
        or not context.destination_id
    ):
        return found
    own = Range(after, after, found.before)
    return found if context.page_builder().any_missing(own) else found.beyond_watermark()


def end_before_watermark(context: RunContext, after: Mark | None, found: Survey) -> str | None:
    """The greatest cursor value of the table, if the watermark stands beyond it.

    This happens when a table is rebuilt: its new rows lie behind the watermark and would never be
    read. A watermark that still stands at the destination's start proves nothing, and neither does
    an empty table.

    Args:
        context: The destination.
        after: The watermark.
        found: What the survey of this run found.

    Returns:
        The cursor value as text; None where the watermark is not beyond it.
    """
    if found.reached or after is None or not context.destination_id:
        return None
    with context.store.read() as connection:
        start = registry.start(connection, context.destination_id)
    return (
        None if after.key is None and after.cursor == start else context.warehouse.latest_cursor()
    )


def watermark_warning(context: RunContext, after: Mark | None, found: Survey) -> str | None:
    """A sentence where the watermark stands beyond the end of the data; otherwise None."""
    end = end_before_watermark(context, after, found)
    if end is None or after is None:
        return None
    return (
        f"the high-water mark stands at {after.cursor}, beyond the last row, whose"
        f" {context.destination.model.source.cursor} is {end}; rows that are added behind it are"
        " read only as far as source.lookback reaches. Was the table rebuilt or restored? To begin"
        f" anew, run `capi resolve {context.name} --restart all|now|TIMESTAMP`"
    )


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
