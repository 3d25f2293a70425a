"""Counts a closed window of the warehouse against what is recorded, once a day."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from connector.engine.bounds import place_before
from connector.engine.context import RunContext
from connector.engine.horizon import horizon
from connector.engine.plan import Plan
from connector.model import Range
from connector.state import runs
from connector.state.clock import microseconds_of

EVERY = dt.timedelta(days=1)
"""How often."""

WINDOW = dt.timedelta(days=2)
"""How much: twice that, so that a row that is committed up to a day too late is seen once."""

KIND = "completeness"
"""Of the tally that holds what was counted."""


def count_closed_window(context: RunContext, planned: Plan) -> None:
    """Count the two days that lie just beyond `source.lookback`: no run looks there again.

    A row without a record there was committed later than lookback allows. What was counted becomes
    part of the run's tallies.

    Args:
        context: The destination.
        planned: The run that is about to end.
    """
    cursor, after = context.cursor(), context.watermark()
    if (
        not context.destination.model.checks.completeness
        or not planned.reads_to_the_end
        or cursor is None
        or after is None
        or not cursor.is_time
    ):
        return
    since = microseconds_of(context.clock() - EVERY)
    with context.store.read() as connection:
        run = runs.get(connection, planned.run_id)
        if run is None or not run["rows_read"]:
            return  # what costs nothing stays so
        if runs.counted_since(connection, context.destination_id, KIND, since):
            return
    lookback = context.destination.model.source.lookback
    end = place_before(context, cursor, after, lookback)
    start = place_before(context, cursor, after, lookback + WINDOW)
    if end is None or end == start:
        return
    found = context.page_builder(horizon=horizon(context)).count_missing(
        Range(start, None, end.cursor)
    )
    counted = Counter({"rows": found.rows, "missing": found.missing})
    with context.store.write() as connection:
        runs.add(connection, planned.run_id, {}, {KIND: counted}, None)
