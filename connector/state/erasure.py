"""Takes the text of a key out of the state, whose other tables know rows by hashes alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from connector.state.tables import intent, mark, slices

_PLACES: tuple[tuple[sa.Table, sa.Column[str | None]], ...] = (
    (mark, mark.c.key),
    (slices, slices.c.done_key),
    (intent, intent.c.after_key),
    (intent, intent.c.to_key),
)
"""Columns that say where in the order of rows something begins or ends."""

_READ_BYTES = 1 << 20


def forget_key(connection: Connection, destination_id: int, key: Sequence[str]) -> None:
    """Take a key out of every place that ends with it, while no run is at work.

    A place without a key stands before all rows of its cursor value; those of them that are
    recorded are left out by the ledger.
    """
    for table, column in _PLACES:
        chosen = sa.and_(table.c.destination_id == destination_id, column == json.dumps(key))
        connection.execute(table.update().where(chosen).values({column.name: None}))


def wipe(url: URL, key: Sequence[str]) -> list[Path]:
    """Rewrite a SQLite file that still holds a key's text in what was deleted or changed.

    Args:
        url: The state database, in which `forget_key` was committed.
        key: Texts of the key columns.

    Returns:
        Files that hold it nevertheless: backups, and the file itself where others keep it open, or
        the disk has no room for another one.
    """
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    file, text = Path(url.database), json.dumps(key).encode()
    log = file.with_name(f"{file.name}-wal")
    # What was erased is erased, whether or not the file can be rewritten now.
    with suppress(sqlite3.Error), closing(sqlite3.connect(file, isolation_level=None)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if _holds(file, text) or _holds(log, text):
            opened.execute("VACUUM")
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [file, log, *sorted(file.parent.glob(f"{file.name}.*.backup"))]
    return [each for each in files if _holds(each, text)]


def _holds(file: Path, text: bytes) -> bool:
    """Whether a file holds these bytes."""
    if not file.is_file():
        return False
    rest = b""
    with file.open("rb") as opened:
        while part := opened.read(_READ_BYTES):
            if text in rest + part:
                return True
            rest = part[-len(text) :]
    return False
