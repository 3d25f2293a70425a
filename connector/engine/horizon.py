"""The horizon: the moment from which on the ledger is complete.

The ledger forgets what was recorded long ago. A row without a record that is from after the horizon
was never delivered; one from before it may have been, so it is expired (`beyond_ledger`) unless a
person says yes. What a row is judged by is its event_time, because a row that is touched gets a new
cursor value; a row without one is judged by its cursor.

Every reader behind the watermark and the pruning itself go through this module.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import Mask, mask
from connector.source.watermark import Cursor, earlier
from connector.state import intents, registry, watermark
from connector.state.clock import moment_of

if TYPE_CHECKING:
    from connector.engine.context import RunContext

MARGIN = dt.timedelta(days=1)
"""Entries are kept so much longer than the horizon says, because clocks differ."""


def horizon(context: RunContext) -> dt.datetime | None:
    """The moment from which on the ledger is complete; None: nothing was ever forgotten."""
    if not context.destination_id:
        return None
    with context.store.read() as connection:
        found = registry.horizon(connection, context.destination_id)
    return None if found is None else moment_of(found)


def next_horizon(context: RunContext) -> dt.datetime | None:
    """How far the horizon may move: the ledger's memory before the oldest place a read can reach.

    Returns:
        The moment; None where nothing may be forgotten, because rows do not tell how old they are.
    """
    if not _rows_tell_their_age(context):
        return None
    places = [context.clock(), *_oldest_reads(context)]
    return earlier(min(places), memory(context))


def memory(context: RunContext) -> dt.timedelta:
    """How long the ledger remembers: as configured, but never less than other parts rely on."""
    model, windows = context.destination.model, context.destination.platform.windows
    ages = [age for age in (windows.max_age, *windows.max_age_by.values()) if age is not None]
    spans = (model.privacy.retention, model.source.lookback, *ages)
    return max(model.privacy.ledger_retention, *(span + MARGIN for span in spans))


def forget_before(context: RunContext, since: dt.datetime) -> dt.datetime:
    """The moment of recording before which entries may be forgotten, for a horizon.

    A row may be recorded before its event_time, by as much as the platform accepts.
    """
    return earlier(since, MARGIN + context.destination.platform.windows.max_future)


def start_horizon(context: RunContext, start: str | None) -> dt.datetime | None:
    """The horizon of a ledger that is lost, where a person says from where to begin anew.

    What lies behind that place may have been delivered; what lies ahead of it is sent, because the
    person said so. Rows are committed some time after their event, hence the margin.

    Args:
        context: The destination.
        start: Cursor text; None for the first row.
    """
    if start is None:
        return None
    cursor = context.cursor()
    moment = None if cursor is None else cursor.moment_of(start)
    return earlier(moment or context.clock(), context.destination.model.source.lookback + MARGIN)


def unproven(
    times: pa.Array, cursors: Sequence[str], cursor: Cursor | None, since: dt.datetime
) -> Mask:
    """Which rows may have been delivered and forgotten.

    Args:
        times: Their event_time, UTC, shape (n,); null where a row has none.
        cursors: Their cursor texts, shape (n,).
        cursor: The cursor column.
        since: The horizon.
    """
    found = mask(pc.less(times, pa.scalar(since, times.type)))
    if times.null_count and cursor is not None and cursor.is_time:
        for row in np.flatnonzero(mask(pc.is_null(times))).tolist():
            moment = cursor.moment_of(cursors[row])
            found[row] = moment is not None and moment < since
    return found


def _rows_tell_their_age(context: RunContext) -> bool:
    cursor, model = context.cursor(), context.destination.model
    column = model.columns.get("event_time", "event_time")
    required = context.destination.platform.missing_time == "reject"
    return (
        cursor is not None
        and (cursor.is_time or required)
        and column in context.warehouse.query_columns()
    )


def _oldest_reads(context: RunContext) -> list[dt.datetime]:
    """Places from which a later read may begin: the watermarks of lookback, and open intents."""
    cursor = context.cursor()
    with context.store.read() as connection:
        place = watermark.read(connection, context.destination_id)
        looked = watermark.looked_behind(connection, context.destination_id)
        opened = intents.oldest(connection, context.destination_id)
    texts = [None if place is None else place.cursor, looked]
    moments = [cursor.moment_of(text) for text in texts if cursor is not None and text is not None]
    if opened is not None:
        moments.append(moment_of(opened))
    return [moment for moment in moments if moment is not None]
