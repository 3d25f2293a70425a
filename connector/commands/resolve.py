"""What only a person can decide: unanswered requests, a changed source, where to begin anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from connector.config.destination import Destination
from connector.config.validate import start_time
from connector.engine.bounds import first_watermark
from connector.engine.context import open_context
from connector.engine.registration import (
    accept_source,
    changed_parts,
    manual_lease,
    witness_of,
)
from connector.errors import ConfigError
from connector.model import RowState
from connector.state import ledger, quarantine, registry, watermark
from connector.state.lease import release

Decision = Literal["delivered", "resend"]


def settle_ambiguous(destination: Destination, decision: Decision) -> int:
    """Decide on rows whose delivery stayed unknown for too long.

    Args:
        destination: Where they were sent.
        decision: `delivered`: they count as delivered. `resend`: the next `replay` sends them
            again, with the same event_id.

    Returns:
        How many rows there were.
    """
    state = RowState.DELIVERED if decision == "delivered" else RowState.REJECTED
    with open_context(destination) as context:
        held = manual_lease(context)
        number = context.destination_id
        with context.store.write() as connection:
            rows = list(quarantine.listed(connection, number, state="ambiguous_expired"))
            hashes, cursors = [row.key_hash for row in rows], [row.cursor for row in rows]
            ledger.record(connection, number, hashes, [state] * len(rows), cursors, None)
            if decision == "delivered":
                quarantine.remove(connection, number, hashes)
            else:
                quarantine.reopen(connection, number, hashes)
            release(connection, held)
        return len(rows)


def accept_change(destination: Destination) -> list[str]:
    """Take the source as it is now for the one that the watermark belongs to.

    Returns:
        What had changed, in words.

    Raises:
        ConfigError: The key changed: by it alone delivered rows are known. Or the source cannot
            be read.
        WarehouseError: The source cannot be read.
    """
    with open_context(destination) as context:
        context.warehouse.try_query()
        if not context.destination_id:
            return []
        with context.store.write() as connection:
            changed = changed_parts(connection, context)
            if "source.key" in changed:
                raise ConfigError(
                    f"{destination.name}: source.key changed, so rows that were delivered would"
                    " not be recognised and would be sent again under other ids. Put the old key"
                    f" back; or, to begin anew, run `capi resolve {destination.name} --restart"
                    " now|TIMESTAMP`"
                )
            accept_source(connection, context)
            return changed


def restart(destination: Destination, start: str) -> str | None:
    """Put the watermark where a person says; the ledger stays.

    Args:
        destination: Which one begins anew.
        start: all, now, or a timestamp.

    Returns:
        Cursor text of the new watermark.

    Raises:
        ConfigError: The start is none of these.
    """
    source = destination.model.source.model_copy(update={"start": start})
    if start not in ("all", "now"):
        try:
            start_time(source)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    moved = replace(destination, model=destination.model.model_copy(update={"source": source}))
    with open_context(moved) as context:
        witness_of(context).remove()
        with context.store.write() as connection:
            if context.destination_id:
                accept_source(connection, context)
                registry.forget_watermark_moves(connection, context.destination_id)
        held = manual_lease(context)
        first = first_watermark(context)
        cursor = None if first is None else first.cursor
        with context.store.write() as connection:
            watermark.put(connection, held, first)
            registry.set_start(connection, context.destination_id, cursor)
            release(connection, held)
        return cursor
