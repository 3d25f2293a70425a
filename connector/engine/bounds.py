"""From where rows are read: the first watermark, and how far behind it a run looks."""

from __future__ import annotations

import datetime as dt

from connector.config.validate import start_time
from connector.engine.context import RunContext
from connector.errors import ConfigError
from connector.model import Mark, Range
from connector.source.watermark import Cursor, earlier
from connector.state import registry, runs, watermark
from connector.state.lease import Lease


def first_watermark(context: RunContext) -> Mark | None:
    """Where a first run starts, from `source.start`; None stands before every row."""
    source, cursor = context.destination.model.source, context.cursor()
    if source.start == "all" or cursor is None:
        return None
    if source.start == "now":
        return _now(context, cursor)
    if not cursor.is_time:
        raise ConfigError(
            f"{context.name}: source.start is a timestamp, but the cursor {source.cursor} is not a"
            " time; use all or now",
            at=("source", "start"),
        )
    return Mark(cursor.text_of(start_time(source)))


def set_first_watermark(context: RunContext, first: Mark | None, held: Lease) -> None:
    """Store the first watermark as the destination's start; rows before it are never delivered.

    Args:
        context: The destination.
        first: Where `source.start` puts the watermark; None at the first row.
        held: The lease of this run.
    """
    if first is None:
        return
    with context.store.write() as connection:
        watermark.put(connection, held, first)
        registry.set_start(connection, context.destination_id, first.cursor)


def lookback_range(context: RunContext, after: Mark | None) -> Range | None:
    """Where rows that were committed late are looked for: within `lookback` of the watermark.

    Nothing from before the start is in it. Where the last run that looked back to the end did so
    from an earlier watermark, it is `lookback` from there: a run that broke off moved the
    watermark, and never came to look.

    Args:
        context: The destination.
        after: The watermark.
    """
    source, cursor = context.destination.model.source, context.cursor()
    if after is None or cursor is None or not source.lookback or cursor.type.kind == "xid8":
        return None
    with context.store.read() as connection:
        looked = watermark.looked_behind(connection, context.destination_id)
    then = None if looked is None else cursor.moment_of(looked)
    now = cursor.moment_of(after.cursor)
    is_earlier = then is not None and now is not None and then < now
    place = Mark(looked) if looked is not None and is_earlier else after
    return Range.behind(after, place_before(context, cursor, place, source.lookback))


def place_before(
    context: RunContext, cursor: Cursor, after: Mark, span: dt.timedelta
) -> Mark | None:
    """Go back in time from a watermark, but not behind the destination's start.

    Args:
        context: The destination.
        cursor: The cursor column. Where it is no time, the watermark of an earlier run is taken.
        after: The watermark to go back from.
        span: How far.

    Returns:
        The earlier place; None for the first row.
    """
    moment = cursor.moment_of(after.cursor)
    with context.store.read() as connection:
        start = registry.start(connection, context.destination_id)
        if moment is None:
            then = earlier(context.clock(), span)
            lower = runs.mark_before(connection, context.destination_id, then) or start
            return None if lower is None else Mark(lower)
    since = earlier(moment, span)
    begun = None if start is None else cursor.moment_of(start)
    if start is not None and begun is not None and begun > since:
        return Mark(start)
    return Mark(cursor.text_of(since))


def _now(context: RunContext, cursor: Cursor) -> Mark | None:
    if cursor.is_time:
        return Mark(cursor.text_of(context.warehouse.now()))
    if cursor.type.kind == "xid8":
        bound = context.warehouse.upper_bound()
        return None if bound is None else Mark(bound)
    latest = context.warehouse.latest_cursor()
    return None if latest is None else Mark(str(int(latest) + 1))
