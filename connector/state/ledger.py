"""The ledger: which rows have been recorded, by key hash. It answers one question, whether a row was dealt with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.page import State
from connector.state.keys import HASH_BYTES
from connector.state.tables import ledger

VERSION_BYTES = 8
"""Length of a version: 64 bits tell the values of one row apart."""

_PLACES = 0x7FFFFFFF
_AT_ONCE = 2_000
"""Rows of one statement in SQLite, which keeps every page of the table that it changes as it was: in a large ledger, one a row."""

_STATES = {state.value: state for state in State}

_RECORD = " ON CONFLICT (destination_id, key_hash) DO UPDATE SET state = excluded.state, at = excluded.at, place = excluded.place, version = excluded.version"

_RECORD_POSTGRESQL = f"""
    INSERT INTO ledger (destination_id, key_hash, state, at, place, version)
    SELECT %s, h, s, %s, p, v FROM unnest(%s::bytea[], %s::smallint[], %s::integer[], %s::bytea[]) AS t(h, s, p, v)
    {_RECORD}"""  # noqa: S608  constants alone, here and below

_KNOWN_POSTGRESQL = "SELECT key_hash, state, place, version FROM ledger WHERE destination_id = %s AND key_hash = ANY(%s)"

# An array of so many zeros counts the hashes, which come as one text of bytes: half the time of a question mark for each.
_KNOWN_SQLITE = f"""
    SELECT key_hash, state, place, version FROM json_each(?3) CROSS JOIN ledger
    WHERE destination_id = ?1 AND key_hash = substr(?2, json_each.key * {HASH_BYTES} + 1, {HASH_BYTES})"""  # noqa: S608

# One statement for many rows: Python's driver hands its lock over for every statement, and beside a busy thread each time costs
# up to 5 ms to get it back. Places come as a JSON array; hashes, states and versions as bytes of a fixed length each.
_RECORD_SQLITE = f"""
    INSERT INTO ledger (destination_id, key_hash, state, at, place, version)
    SELECT ?1, substr(?4, key * {HASH_BYTES} + 1, {HASH_BYTES}), unicode(substr(?5, key + 1, 1)), ?2, value,
        substr(?6, key * {VERSION_BYTES} + 1, {VERSION_BYTES})
    FROM json_each(?3) WHERE true
    {_RECORD}"""  # noqa: S608


class Entry(NamedTuple):
    """What is recorded of a row. place: of the cursor value that it had then. version: of its values, where changes are sent."""

    state: State
    place: int
    version: bytes | None


def place_of(cursor: str) -> int:
    """A digest of 31 bits that tells whether a row comes back with another cursor value."""
    return crc32(cursor.encode()) & _PLACES


def known(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> dict[bytes, Entry]:
    """The entries among these key hashes, HASH_BYTES each."""
    if connection.dialect.name == "postgresql":
        rows = connection.exec_driver_sql(_KNOWN_POSTGRESQL, (destination_id, list(hashes)))
    else:
        rows = connection.exec_driver_sql(_KNOWN_SQLITE, (destination_id, b"".join(hashes), orjson.dumps([0] * len(hashes)).decode()))
    return {bytes(key_hash): Entry(_STATES[state], place, version) for key_hash, state, place, version in rows.all()}


def record(
    connection: Connection,
    destination_id: int,
    hashes: Sequence[bytes],
    states: Sequence[int],
    cursors: Sequence[str | None],
    versions: Sequence[bytes] | None,
) -> None:
    """Write entries; a row that was there before takes its new state.

    hashes: HASH_BYTES each. cursors: where the rows stood; None where that is not known. versions: VERSION_BYTES each.
    """
    if not hashes:
        return
    # In the order of the table, so that each of its pages is taken up once; of a row that is there twice, the last.
    rows = {key_hash: row for row, key_hash in enumerate(hashes)}
    order = [rows[key_hash] for key_hash in sorted(rows)]
    at = int(time.time())
    places = [0 if (cursor := cursors[row]) is None else place_of(cursor) for row in order]
    taken, told = [hashes[row] for row in order], [states[row] for row in order]
    kept = None if versions is None else [versions[row] for row in order]
    if connection.dialect.name == "postgresql":
        absent: list[bytes | None] = [None] * len(order)
        connection.exec_driver_sql(_RECORD_POSTGRESQL, (destination_id, at, taken, [int(state) for state in told], places, kept or absent))
    else:
        for start in range(0, len(order), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            texts = (orjson.dumps(places[part]).decode(), b"".join(taken[part]), bytes(told[part]), None if kept is None else b"".join(kept[part]))
            connection.exec_driver_sql(_RECORD_SQLITE, (destination_id, at, *texts))


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
