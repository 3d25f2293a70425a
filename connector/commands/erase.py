"""What is recorded of one row, and how it is forgotten for a request of deletion."""

from __future__ import annotations

from connector.commands.key import refuse_other_columns
from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.engine.registration import manual_lease
from connector.model import RowState
from connector.state import ledger, quarantine
from connector.state.keys import hash_of
from connector.state.lease import release


def erase(destination: Destination, key: tuple[str, ...]) -> bool:
    """Forget one row for good, and never send it again.

    What remains is the hash of its key, marked as erased.

    Args:
        destination: Where it was sent, or may be.
        key: Texts of the key columns.

    Returns:
        Whether anything was known of it.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    refuse_other_columns(destination, key)
    with open_context(destination) as context:
        held = manual_lease(context)
        key_hash = hash_of(key, context.store.key())
        with context.store.write() as connection:
            known = bool(ledger.known(connection, context.destination_id, [key_hash]))
            quarantine.remove(connection, context.destination_id, [key_hash])
            ledger.record(
                connection, context.destination_id, [key_hash], [RowState.ERASED], [None], None
            )
            release(connection, held)
        return known


def recorded(destination: Destination, key: tuple[str, ...]) -> str | None:
    """What is recorded of one row.

    Args:
        destination: Where it was sent, or may be.
        key: Texts of the key columns.

    Returns:
        The name of its `RowState` in lower case; None where nothing is recorded.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    refuse_other_columns(destination, key)
    with open_context(destination) as context:
        found = context.known([hash_of(key, context.store.key())])
    return next((entry.state.name.lower() for entry in found.values()), None)
