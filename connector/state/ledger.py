"""The ledger: which rows have been recorded, by key hash. It answers one question, whether a row was dealt with."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.page import State
from connector.state.tables import ledger

_CHUNK = 5000


class Entry(NamedTuple):
    """What is recorded of a row. place: of the cursor value that it had then. version: of its values, where changes are sent."""

    state: State
    place: int
    version: bytes | None


def place_of(cursor: str) -> int:
    """A digest of 31 bits that tells whether a row comes back with another cursor value."""
    return zlib.crc32(cursor.encode()) & 0x7FFFFFFF


def known(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> dict[bytes, Entry]:
    """The entries among these key hashes."""
    found: dict[bytes, Entry] = {}
    for start in range(0, len(hashes), _CHUNK):
        for key_hash, state, place, version in _select(connection, destination_id, hashes[start : start + _CHUNK]):
            found[bytes(key_hash)] = Entry(State(state), place, version)
    return found


def _select(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, int, int, bytes | None]]:
    if connection.dialect.name == "postgresql":
        statement = "SELECT key_hash, state, place, version FROM ledger WHERE destination_id = %s AND key_hash = ANY(%s)"
        yield from connection.exec_driver_sql(statement, (destination_id, list(hashes)))
    else:
        marks = ",".join(repeat("?", len(hashes)))
        statement = f"SELECT key_hash, state, place, version FROM ledger WHERE destination_id = ? AND key_hash IN ({marks})"  # noqa: S608  question marks alone
        yield from connection.exec_driver_sql(statement, (destination_id, *hashes))


def record(
    connection: Connection,
    destination_id: int,
    hashes: Sequence[bytes],
    states: Sequence[int],
    cursors: Sequence[str | None],
    versions: Sequence[bytes | None] | None,
) -> None:
    """Write entries; a row that was there before takes its new state. cursors: where the rows stood; None where that is not known."""
    if not hashes:
        return
    at = int(time.time())
    places = [0 if cursor is None else place_of(cursor) for cursor in cursors]
    if connection.dialect.name == "postgresql":
        statement = (
            "INSERT INTO ledger (destination_id, key_hash, state, at, place, version)"
            " SELECT %s, h, s, %s, p, v FROM unnest(%s::bytea[], %s::smallint[], %s::integer[], %s::bytea[]) AS t(h, s, p, v)"
            " ON CONFLICT (destination_id, key_hash) DO UPDATE"
            " SET state = excluded.state, at = excluded.at, place = excluded.place, version = excluded.version"
        )
        kept = list(versions) if versions is not None else [None] * len(hashes)
        connection.exec_driver_sql(statement, (destination_id, at, list(hashes), [int(state) for state in states], places, kept))
    else:
        statement = (
            "INSERT INTO ledger (destination_id, key_hash, state, at, place, version) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (destination_id, key_hash) DO UPDATE"
            " SET state = excluded.state, at = excluded.at, place = excluded.place, version = excluded.version"
        )
        rows = zip(repeat(destination_id), hashes, states, repeat(at), places, versions if versions is not None else repeat(None), strict=False)
        connection.exec_driver_sql(statement, list(rows))


def is_empty(connection: Connection, destination_id: int) -> bool:
    """True where nothing is recorded."""
    return connection.execute(sa.select(ledger.c.state).where(ledger.c.destination_id == destination_id).limit(1)).first() is None


def count(connection: Connection, destination_id: int) -> dict[State, int]:
    """Rows by state."""
    statement = sa.select(ledger.c.state, sa.func.count()).where(ledger.c.destination_id == destination_id).group_by(ledger.c.state)
    return {State(state): number for state, number in connection.execute(statement)}


def prune(connection: Connection, destination_id: int, before: int) -> int:
    """Forget what was recorded before a moment in unix seconds; returns how many. What is ambiguous or erased stays."""
    stale = sa.and_(ledger.c.destination_id == destination_id, ledger.c.at < before, ledger.c.state < State.AMBIGUOUS_EXPIRED)
    return connection.execute(ledger.delete().where(stale)).rowcount


def forget(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> int:
    """Remove entries; returns how many there were."""
    removed = 0
    for start in range(0, len(hashes), 500):
        chosen = ledger.c.key_hash.in_(hashes[start : start + 500])
        removed += connection.execute(ledger.delete().where(ledger.c.destination_id == destination_id, chosen)).rowcount
    return removed
