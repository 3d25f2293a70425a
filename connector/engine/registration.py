"""Registers a destination with the state, and refuses a source that the state does not know."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy.engine import Connection

from connector.config.destination import Destination
from connector.config.secrets import is_reference
from connector.engine.context import RunContext
from connector.errors import StateMismatch
from connector.source.sql_text import fingerprint
from connector.state import ledger, registry, watermark
from connector.state.lease import Lease, acquire
from connector.state.registry import Witness

_PARTS = {
    "query": "the query",
    "cursor": "source.cursor",
    "key": "source.key",
    "time_zone": "source.time_zone",
    "time_unit": "source.time_unit",
    "transform": "transform",
    "warehouse": "source.warehouse",
}
"""Parts of a source that a watermark depends on -> how messages call them."""


def register(context: RunContext) -> None:
    """Make sure that the state knows the destination, and that it is still the one the state knows.

    Raises:
        StateMismatch: The state was lost, its key is another one, or the source changed.
        ConfigError, WarehouseError: The source changed, and cannot be read at all.
    """
    changed: list[str] = []
    context.store.key()
    witness = witness_of(context)
    with context.store.write() as connection:
        context.destination_id = registry.find(connection, context.name)
        if not context.destination_id:
            _refuse_lost_state(context, witness)
            source = source_of(context.destination)
            context.destination_id = registry.add(connection, context.name, source)
        else:
            _refuse_lost_watermark(connection, context)
            changed = changed_parts(connection, context)
            if changed and _is_unused(connection, context):
                accept_source(connection, context)
                changed = []
    if changed:
        # Nobody can decide on a source that cannot be read.
        context.warehouse.check_query()
        raise StateMismatch(
            f"{context.name}: {' and '.join(changed)} changed since the last run, so the"
            " high-water mark may not mean what it did. If the order of rows is still the same,"
            f" run `capi resolve {context.name} --accept-change`; to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )
    witness.put()


def manual_lease(context: RunContext) -> Lease:
    """Register the destination and take its lease for a person; who changed the state releases it.

    Raises:
        LeaseHeld: A run is at work.
        StateMismatch: The destination is not the one that the state knows.
    """
    register(context)
    with context.store.write() as connection:
        return acquire(connection, context.destination_id, "a person at the command line")


def source_of(destination: Destination) -> dict[str, Any]:
    """What a watermark depends on, as fingerprints."""
    source = destination.model.source
    return {
        "query": fingerprint(destination.query()),
        "cursor": source.cursor,
        "key": list(source.keys),
        "time_zone": source.time_zone,
        "time_unit": source.time_unit,
        "transform": destination.model.transform,
        "warehouse": None
        if is_reference(source.warehouse)
        else hashlib.sha256(source.warehouse.encode()).hexdigest()[:16],
    }


def changed_parts(connection: Connection, context: RunContext) -> list[str]:
    """What differs between the source that the state knows and the destination's, in words."""
    before = registry.source(connection, context.destination_id)
    now = source_of(context.destination)
    return [words for part, words in _PARTS.items() if before.get(part) != now.get(part)]


def accept_source(connection: Connection, context: RunContext) -> None:
    """Take the source as it is now for the one that the watermark belongs to."""
    registry.accept_source(connection, context.destination_id, source_of(context.destination))


def witness_of(context: RunContext) -> Witness:
    """The file that tells that the destination had state."""
    return Witness(context.destination.root, context.store.url, context.name)


def _is_unused(connection: Connection, context: RunContext) -> bool:
    return watermark.read(connection, context.destination_id) is None and ledger.is_empty(
        connection, context.destination_id
    )


def _refuse_lost_state(context: RunContext, witness: Witness) -> None:
    if witness.exists():
        raise StateMismatch(
            f"{context.name}: this destination has run before, but its state is gone, so it is not"
            " known what was delivered. Restore the state database; or, to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )


def _refuse_lost_watermark(connection: Connection, context: RunContext) -> None:
    if registry.has_lost_watermark(connection, context.destination_id):
        raise StateMismatch(
            f"{context.name}: earlier runs moved the high-water mark, but the state has none now."
            " Restore the state database; or, to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )
