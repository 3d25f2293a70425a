"""What the state may forget, and when: never what lookback, the platform's age window or a person still needs."""

from __future__ import annotations

import datetime as dt

from connector.engine.context import RunContext
from connector.source.watermark import earlier
from connector.state import ledger, quarantine, runs
from connector.state.tables import destination as destinations

KEEP_RUNS = dt.timedelta(days=400)
_EVERY = dt.timedelta(days=1)


def forget_old(context: RunContext) -> None:
    """Drop entries that are past retention; at most once a day."""
    now = context.clock()
    oldest = max(oldest_needed(context, now), dt.datetime.fromtimestamp(0, dt.UTC))
    now_us = int(now.timestamp() * 1_000_000)
    with context.store.write() as connection:
        row = connection.execute(
            destinations.select().where(destinations.c.id == context.destination_id)
        ).one()
        if row.pruned_at is not None and now_us - row.pruned_at < _EVERY / dt.timedelta(
            microseconds=1
        ):
            return
        ledger.prune(connection, context.destination_id, int(oldest.timestamp()))
        quarantine.prune(connection, context.destination_id, int(oldest.timestamp() * 1_000_000))
        runs.prune(
            connection, context.destination_id, int((now - KEEP_RUNS).timestamp() * 1_000_000)
        )
        connection.execute(
            destinations.update()
            .where(destinations.c.id == context.destination_id)
            .values(pruned_at=now_us)
        )


def oldest_needed(context: RunContext, now: dt.datetime) -> dt.datetime:
    """The earliest moment of recording whose entries may still be asked for."""
    model, windows = context.destination.model, context.destination.platform.windows
    margin = dt.timedelta(days=1)
    limits = [earlier(now, model.privacy.retention)]
    limits += [
        earlier(now, age + margin)
        for age in (windows.max_age, *windows.max_age_by.values())
        if age is not None
    ]
    mark, cursor = context.mark(), context.cursor()
    moment = cursor.moment_of(mark.cursor) if mark is not None and cursor is not None else None
    limits.append(earlier(moment or now, model.source.lookback + margin))
    return min(limits)
