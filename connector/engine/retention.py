"""What the state forgets, and when: once a day, at the end of a run."""

from __future__ import annotations

import datetime as dt

from connector.engine.context import RunContext
from connector.engine.horizon import forget_before, horizon, next_horizon
from connector.source.watermark import earlier
from connector.state import ledger, quarantine, registry, runs
from connector.state.clock import microseconds_of

KEEP_RUNS = dt.timedelta(days=400)
_EVERY_US = 24 * 3600 * 1_000_000


def prune(context: RunContext, *, read_to_the_end: bool) -> None:
    """Drop entries that are past retention; at most once a day.

    Args:
        context: The destination.
        read_to_the_end: The run left no row behind the watermark unread. Otherwise the ledger
            keeps all, because rows that still wait may be as old as any.
    """
    now, number = context.clock(), context.destination_id
    with context.store.read() as connection:
        pruned_at = registry.pruned_at(connection, number)
    if pruned_at is not None and microseconds_of(now) - pruned_at < _EVERY_US:
        return
    last, since = horizon(context), next_horizon(context) if read_to_the_end else None
    kept = earlier(now, context.destination.model.privacy.retention)
    with context.store.write() as connection:
        if since is not None and (last is None or since > last):
            before = max(int(forget_before(context, since).timestamp()), 0)
            if ledger.prune(connection, number, before):
                registry.set_horizon(connection, number, microseconds_of(since))
        quarantine.prune(connection, number, max(microseconds_of(kept), 0))
        runs.prune(connection, number, microseconds_of(earlier(now, KEEP_RUNS)))
        registry.set_pruned_at(connection, number, microseconds_of(now))
    if context.destination.model.audit is not None:
        # Late: most destinations have none, and need no writer of Parquet.
        from connector.engine.audit_files import prune as prune_audit

        prune_audit(context, now)
