"""The ledger: what has been recorded of rows, by the hashes of their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.model import RowState
from connector.state import clock
from connector.state.keys import HASH_BYTES
from connector.state.ledger_buffer import (
    ENTRY,
    VERSION_BYTES,
    LedgerBuffer,
    append,
    entries_of,
    grown_part,
    hash_bytes,
    hashes_of,
    part_of,
    parts,
    take,
)
from connector.state.tables import ledger
from connector.state.tables import recent as recent_entries

_PLACES = 0x7FFFFFFF
_EVER = 2**31 - 1

_ASKED_AT_ONCE = 10_000
"""Hashes of one look into the table."""

_AT_ONCE = 2_000
"""Rows of one statement. SQLite keeps every page that a statement changes as it was."""

_STATES = {state.value: state for state in RowState}

_RECORD = """
    ON CONFLICT (destination_id, key_hash) DO UPDATE
    SET state = excluded.state, at = excluded.at, place = excluded.place,
        version = excluded.version"""

_RECORD_POSTGRESQL = f"""
    INSERT INTO ledger (destination_id, key_hash, state, at, place, version)
    SELECT %s, h, s, a, p, v
    FROM unnest(%s::bytea[], %s::smallint[], %s::integer[], %s::integer[], %s::bytea[])
        AS t(h, s, a, p, v)
    {_RECORD}"""  # noqa: S608  constants alone, here and below

_KNOWN_POSTGRESQL = """
    SELECT key_hash, state, place, version FROM ledger
    WHERE destination_id = %s AND key_hash = ANY(%s)"""

# The hashes come as one blob, and an array of as many zeros counts them: half the time of a
# question mark for each.
_KNOWN_SQLITE = f"""
    SELECT key_hash, state, place, version FROM json_each(?3) CROSS JOIN ledger
    WHERE destination_id = ?1
        AND key_hash = substr(?2, json_each.key * {HASH_BYTES} + 1, {HASH_BYTES})"""  # noqa: S608

# One statement for many rows: Python's driver hands its lock over for every statement, and beside a
# busy thread it takes up to 5 ms each time to get it back. Moment and place come as one number of a
# JSON array; hashes, states and versions as blobs of entries of a fixed length.
_RECORD_SQLITE = f"""
    INSERT INTO ledger (destination_id, key_hash, state, at, place, version)
    SELECT ?1, substr(?3, key * {HASH_BYTES} + 1, {HASH_BYTES}), unicode(substr(?4, key + 1, 1)),
        value >> 31, value & {_PLACES}, substr(?5, key * {VERSION_BYTES} + 1, {VERSION_BYTES})
    FROM json_each(?2) WHERE true
    {_RECORD}"""  # noqa: S608


_REKEY_POSTGRESQL = """
    UPDATE ledger SET destination_id = %s, key_hash = n
    FROM unnest(%s::bytea[], %s::bytea[]) AS t(o, n)
    WHERE destination_id = %s AND key_hash = o"""

_REKEY_SQLITE = """
    UPDATE ledger SET destination_id = ?1, key_hash = ?4
    WHERE destination_id = ?2 AND key_hash = ?3"""


class Entry(NamedTuple):
    """What is recorded of a row.

    Attributes:
        state: What became of it.
        place: Digest of the cursor value that it had then.
        version: Digest of its values, where changes are sent.
    """

    state: RowState
    place: int
    version: bytes | None


def place_of(cursor: str) -> int:
    """A digest of 31 bits that tells whether a row comes back with another cursor value."""
    return crc32(cursor.encode()) & _PLACES


def known(
    connection: Connection,
    destination_id: int,
    hashes: Sequence[bytes],
    recent: LedgerBuffer | None = None,
) -> dict[bytes, Entry]:
    """The entries among these key hashes.

    Args:
        connection: A transaction.
        destination_id: The destination.
        hashes: HASH_BYTES each.
        recent: What was read before of the recent entries.
    """
    # First the recent ones: an entry may leave them for the table meanwhile, and never goes back.
    rows, found = (recent or LedgerBuffer(destination_id)).find(connection, hashes)
    entries = _in_table(connection, destination_id, hashes)
    entries.update(zip((hashes[row] for row in rows), map(_entry, found), strict=True))
    return entries


def record(
    connection: Connection,
    destination_id: int,
    hashes: Sequence[bytes],
    states: Sequence[int] | np.ndarray,
    cursors: Sequence[str | None],
    versions: Sequence[bytes] | None,
) -> None:
    """Write entries; a row that was there before takes its new state.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        hashes: HASH_BYTES each, shape (n,).
        states: A `RowState` each, shape (n,).
        cursors: Exact text each, shape (n,); None where it is not known.
        versions: VERSION_BYTES each, shape (n,), where changes are sent.
    """
    if not hashes:
        return
    places = [0 if cursor is None else place_of(cursor) for cursor in cursors]
    append(
        connection,
        destination_id,
        entries_of(hashes, states, places, versions),
        clock.now_us() // 1_000_000,
    )
    part = grown_part(connection, destination_id)
    if part is not None:
        _settle(connection, destination_id, part)


def recorded_at(connection: Connection, destination_id: int, key_hash: bytes) -> int | None:
    """When a row was last recorded, in unix seconds; None where it has no entry."""
    chosen = sa.and_(
        recent_entries.c.destination_id == destination_id,
        recent_entries.c.part == part_of(key_hash),
    )
    statement = sa.select(recent_entries.c.at, recent_entries.c.entries).where(chosen)
    for at, entries in connection.execute(statement.order_by(recent_entries.c.id.desc())):
        if key_hash in hashes_of(np.frombuffer(entries, ENTRY)):
            return int(at)
    return connection.execute(
        sa.select(ledger.c.at).where(
            ledger.c.destination_id == destination_id, ledger.c.key_hash == key_hash
        )
    ).scalar()


def in_state(
    connection: Connection, destination_id: int, state: RowState, since: int = 0
) -> dict[bytes, int]:
    """Rows that are recorded in one state; reads the ledger from end to end.

    Args:
        connection: A transaction.
        destination_id: The destination.
        state: Which rows.
        since: Recorded at this moment or later, in unix seconds.

    Returns:
        Key hash -> unix seconds when it was recorded.
    """
    # First the recent ones, as in `known`: entries move from there to the table.
    statement = sa.select(recent_entries.c.at, recent_entries.c.entries).where(
        recent_entries.c.destination_id == destination_id
    )
    recent = connection.execute(statement.order_by(recent_entries.c.id)).all()
    chosen = sa.select(ledger.c.key_hash, ledger.c.at).where(
        ledger.c.destination_id == destination_id, ledger.c.state == state, ledger.c.at >= since
    )
    found = {bytes(key_hash): int(at) for key_hash, at in connection.execute(chosen)}
    for at, stored in recent:
        entries = np.frombuffer(stored, ENTRY)
        is_wanted = entries["state"] == state if at >= since else np.zeros(len(entries), bool)
        for key_hash in hashes_of(entries[~is_wanted]) if found else ():
            found.pop(key_hash, None)
        found.update(dict.fromkeys(hashes_of(entries[is_wanted]), int(at)))
    return found


def is_empty(connection: Connection, destination_id: int) -> bool:
    """True where nothing is recorded."""
    return not (
        _has_rows(connection, ledger, destination_id)
        or _has_rows(connection, recent_entries, destination_id)
    )


def count(connection: Connection, destination_id: int) -> dict[RowState, int]:
    """Rows by state."""
    statement = (
        sa.select(ledger.c.state, sa.func.count())
        .where(ledger.c.destination_id == destination_id)
        .group_by(ledger.c.state)
    )
    entries = LedgerBuffer(destination_id).all(connection)
    numbers = Counter({RowState(state): number for state, number in connection.execute(statement)})
    numbers.update(map(RowState, entries["state"].tolist()))
    hashes = hashes_of(entries)
    for start in range(0, len(hashes), _ASKED_AT_ONCE):
        numbers.subtract(
            entry.state
            for entry in _in_table(
                connection, destination_id, hashes[start : start + _ASKED_AT_ONCE]
            ).values()
        )
    return {state: number for state, number in numbers.items() if number}


def prune(connection: Connection, destination_id: int, before: int) -> int:
    """Forget what was recorded before a moment; ambiguous and erased rows stay.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        before: Unix seconds.

    Returns:
        How many entries were forgotten.
    """
    for part in parts(connection, destination_id, before):
        _settle(connection, destination_id, part)
    stale = sa.and_(
        ledger.c.destination_id == destination_id,
        ledger.c.at < before,
        ledger.c.state < RowState.AMBIGUOUS_EXPIRED,
    )
    return connection.execute(ledger.delete().where(stale)).rowcount


def clear(connection: Connection, destination_id: int) -> None:
    """Forget everything but erased rows."""
    for part in parts(connection, destination_id, _EVER):
        _settle(connection, destination_id, part)
    chosen = sa.and_(ledger.c.destination_id == destination_id, ledger.c.state != RowState.ERASED)
    connection.execute(ledger.delete().where(chosen))


class Rekeyed(NamedTuple):
    """What became of entries under another key.

    Attributes:
        carried: Entries that are known by a hash under the new key.
        forgotten: Entries whose row was not found.
        forgotten_at: When the latest of these was recorded, in unix seconds; None: none is.
    """

    carried: int
    forgotten: int
    forgotten_at: int | None


def rekey(
    connection: Connection,
    destination_id: int,
    changed: Iterable[tuple[Sequence[bytes], Sequence[bytes]]],
) -> Rekeyed:
    """Replace key hashes; entries whose hash is not among the old ones are forgotten.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        changed: Old hashes and the new ones in their order, in parts; a row may come twice.
    """
    for part in parts(connection, destination_id, _EVER):
        _settle(connection, destination_id, part)
    # Under the negative number stands what is done, so that no old hash is taken for a new one.
    for old, new in changed:
        if connection.dialect.name == "postgresql":
            values = (-destination_id, list(old), list(new), destination_id)
            connection.exec_driver_sql(_REKEY_POSTGRESQL, values)
        else:
            rows = [(-destination_id, destination_id, *pair) for pair in zip(old, new, strict=True)]
            connection.exec_driver_sql(_REKEY_SQLITE, rows)
    mine = ledger.c.destination_id == destination_id
    forgotten, latest = connection.execute(
        sa.select(sa.func.count(), sa.func.max(ledger.c.at)).where(mine)
    ).one()
    connection.execute(ledger.delete().where(mine))
    done = ledger.c.destination_id == -destination_id
    carried = 0
    for first in range(256):  # each statement keeps what it changes as it was
        chosen = sa.and_(done, ledger.c.key_hash >= bytes([first]))
        if first < 255:
            chosen = sa.and_(chosen, ledger.c.key_hash < bytes([first + 1]))
        statement = ledger.update().where(chosen).values(destination_id=destination_id)
        carried += connection.execute(statement).rowcount
    return Rekeyed(carried, forgotten, latest)


def _entry(entry: np.void) -> Entry:
    return Entry(
        _STATES[int(entry["state"])],
        int(entry["place"]),
        entry["version"].tobytes() if entry["versioned"] else None,
    )


def _has_rows(connection: Connection, table: sa.Table, destination_id: int) -> bool:
    return (
        connection.execute(
            sa.select(table.c.destination_id)
            .where(table.c.destination_id == destination_id)
            .limit(1)
        ).first()
        is not None
    )


def _in_table(
    connection: Connection, destination_id: int, hashes: Sequence[bytes]
) -> dict[bytes, Entry]:
    if not _has_rows(connection, ledger, destination_id):
        return {}
    if connection.dialect.name == "postgresql":
        rows = connection.exec_driver_sql(_KNOWN_POSTGRESQL, (destination_id, list(hashes)))
    else:
        rows = connection.exec_driver_sql(
            _KNOWN_SQLITE,
            (destination_id, b"".join(hashes), orjson.dumps([0] * len(hashes)).decode()),
        )
    return {
        bytes(key_hash): Entry(_STATES[state], place, version)
        for key_hash, state, place, version in rows.all()
    }


def _settle(connection: Connection, destination_id: int, part: int) -> None:
    """Move the recent entries of a part into the table."""
    entries, at = take(connection, destination_id, part)
    for versioned in (False, True):
        chosen = entries["versioned"] == versioned
        mine, moments = entries[chosen], at[chosen]
        for start in range(0, len(mine), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            _write(connection, destination_id, mine[rows], moments[rows], versioned)


def _write(
    connection: Connection,
    destination_id: int,
    entries: np.ndarray,
    at: np.ndarray,
    versioned: bool,
) -> None:
    states, places = entries["state"], entries["place"].astype(np.int64)
    if connection.dialect.name == "postgresql":
        versions = [version.tobytes() if versioned else None for version in entries["version"]]
        connection.exec_driver_sql(
            _RECORD_POSTGRESQL,
            (
                destination_id,
                hashes_of(entries),
                states.tolist(),
                at.tolist(),
                places.tolist(),
                versions,
            ),
        )
    else:
        moments = orjson.dumps(((at.astype(np.int64) << 31) | places).tolist()).decode()
        texts = (
            hash_bytes(entries),
            states.tobytes(),
            entries["version"].tobytes() if versioned else None,
        )
        connection.exec_driver_sql(_RECORD_SQLITE, (destination_id, moments, *texts))
