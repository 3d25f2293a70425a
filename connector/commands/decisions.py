"""Records what a person decided by starting a run that would not have come by itself."""

from __future__ import annotations

from connector.engine.context import RunContext
from connector.engine.plan import Options
from connector.state import acts
from connector.state.keys import hash_of


def record_replay(
    context: RunContext, reason: str | None = None, key: tuple[str, ...] | None = None
) -> None:
    """Record that quarantined rows are to be tried again.

    Args:
        context: The destination.
        reason: Only rows with this reason code.
        key: Only this row.
    """
    key_hash = None if key is None else hash_of(key, context.store.key()).hex()
    with context.store.write() as connection:
        details = {"reason": reason, "key_hash": key_hash}
        acts.record(connection, context.name, "replay", details)


def record_options(context: RunContext, options: Options) -> None:
    """Record a yes to what a run refuses by itself, and a replay beside it."""
    if options.replay_rejected:
        record_replay(context)
    if options.yes:
        with context.store.write() as connection:
            acts.record(connection, context.name, "sync", {"yes": True})
