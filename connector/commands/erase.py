"""What is recorded of one row, and how it is forgotten for a request of deletion."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from connector.commands.key import refuse_other_columns
from connector.config.loader import Target, destination_of
from connector.engine.audit import decided, put_entries
from connector.engine.context import RunContext, open_context
from connector.engine.registration import manual_lease
from connector.model import RowState
from connector.state import acts, intents, ledger, quarantine
from connector.state.erasure import forget_key, wipe
from connector.state.keys import hash_of
from connector.state.lease import release


@dataclass(frozen=True)
class Erasure:
    """A row that was forgotten.

    Attributes:
        before: What was recorded of it, as by `recorded`; None where nothing was.
        still_in: Files beside the state that hold its key nevertheless, such as backups.
    """

    before: str | None
    still_in: list[Path] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether anything was recorded of it."""
        return self.before is not None

    def to_json(self) -> dict[str, Any]:
        """As `capi erase --json` prints it."""
        return {
            "erased": True,
            "was_known": self.known,
            "still_in": [str(path) for path in self.still_in],
        }


def erase(target: Target, *, key: tuple[str, ...], state: str | None = None) -> Erasure:
    """Forget one row for good, and never send it again.

    What remains is the hash of its key, marked as erased.

    Args:
        target: The destination, or the path of its YAML file.
        key: Texts of the key columns.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    destination = destination_of(target)
    refuse_other_columns(destination, key)
    with open_context(destination, state=state) as context:
        held = manual_lease(context)
        key_hash = hash_of(key, context.store.key())
        with context.store.write() as connection:
            before = recorded_in(connection, context.destination_id, key_hash)
            if context.destination.model.audit is not None:
                _audit(context, connection, key_hash)
            quarantine.remove(connection, context.destination_id, [key_hash])
            ledger.record(
                connection, context.destination_id, [key_hash], [RowState.ERASED], [None], None
            )
            forget_key(connection, context.destination_id, key)
            details = {"key_hash": key_hash.hex(), "before": before}
            acts.record(connection, context.name, "erase", details)
            release(connection, held)
        copies = wipe(context.store.url, key)
        if context.destination.model.audit is not None:
            copies += _audit_files(context, key)
        return Erasure(before, copies)


def _audit(context: RunContext, connection: Connection, key_hash: bytes) -> None:
    """Put down in the audit that the row was erased, by its hash alone."""
    tried = quarantine.tries(connection, context.destination_id, [key_hash]).get(key_hash)
    entry = decided([key_hash.hex()], RowState.ERASED, "erased", [tried])
    put_entries(connection, context.destination_id, f"erase-{uuid.uuid4().hex}", [entry])


def _audit_files(context: RunContext, key: tuple[str, ...]) -> list[Path]:
    """Write the audit, and return its files that hold the key's text from before."""
    # Late: most destinations have none, and need no reader of Parquet.
    from connector.engine.audit_files import files_with, publish

    publish(context)
    return [Path(name) for name in files_with(context.destination, " ".join(key))]


def recorded(target: Target, *, key: tuple[str, ...], state: str | None = None) -> str | None:
    """What is recorded of one row.

    Args:
        target: The destination, or the path of its YAML file.
        key: Texts of the key columns.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        The name of its `RowState` in lower case; `ambiguous` while a request with it is open; None
        where nothing is recorded.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    destination = destination_of(target)
    refuse_other_columns(destination, key)
    with open_context(destination, state=state) as context:
        key_hash = hash_of(key, context.store.key())
        with context.store.read() as connection:
            return recorded_in(connection, context.destination_id, key_hash)


def recorded_in(connection: Connection, destination_id: int, key_hash: bytes) -> str | None:
    """As `recorded`, within a transaction."""
    known = ledger.known(connection, destination_id, [key_hash])
    row_state = next((entry.state for entry in known.values()), None)
    if row_state != RowState.ERASED and intents.is_open(connection, destination_id, key_hash):
        return "ambiguous"
    return None if row_state is None else row_state.name.lower()
