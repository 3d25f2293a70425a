"""What the state may forget, and when: never what lookback, the age window or a person needs."""

from __future__ import annotations

import datetime as dt

from connector.engine.context import RunContext
from connector.source.watermark import earlier
from connector.state import ledger, quarantine, registry, runs

KEEP_RUNS = dt.timedelta(days=400)
_EVERY = dt.timedelta(days=1)


def prune(context: RunContext) -> None:
    """Drop entries that are past retention; at most once a day."""
    now = context.clock()
    oldest = max(oldest_needed(context, now), dt.datetime.fromtimestamp(0, dt.UTC))
    with context.store.write() as connection:
        pruned_at = registry.pruned_at(connection, context.destination_id)
        if pruned_at is not None and _microseconds(now) - pruned_at < _EVERY / _MICROSECOND:
            return
        ledger.prune(connection, context.destination_id, int(oldest.timestamp()))
        quarantine.prune(connection, context.destination_id, _microseconds(oldest))
        runs.prune(connection, context.destination_id, _microseconds(now - KEEP_RUNS))
        registry.set_pruned_at(connection, context.destination_id, _microseconds(now))


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
    place, cursor = context.watermark(), context.cursor()
    moment = cursor.moment_of(place.cursor) if place is not None and cursor is not None else None
    limits.append(earlier(moment or now, model.source.lookback + margin))
    return min(limits)


_MICROSECOND = dt.timedelta(microseconds=1)


def _microseconds(moment: dt.datetime) -> int:
    """Unix microseconds."""
    return int(moment.timestamp() * 1_000_000)
