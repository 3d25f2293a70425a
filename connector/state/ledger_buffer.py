"""Entries of the ledger on their way into its table.

Key hashes are digests, so the rows of one transaction lie all over the ledger's table: in a large
one each of them changes a page of its own, which is written to the database's log and then to its
file. So a transaction appends its entries here, in parts by the first bits of their hashes. A part
that has grown goes into the table as a whole, where its rows lie side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state.insert import insert
from connector.state.keys import HASH_BYTES
from connector.state.tables import recent

VERSION_BYTES = 8
"""Length of a version: 64 bits tell the values of one row apart."""

_VERSION = np.dtype(("V", VERSION_BYTES))

ENTRY = np.dtype(
    [
        ("high", "<u8"),
        ("low", "<u8"),
        ("place", "<i4"),
        ("state", "u1"),
        ("versioned", "?"),
        ("version", _VERSION),
    ]
)
"""One entry. high and low are the halves of its key hash: their order is that of its bytes."""

_BYTES = np.dtype(("V", ENTRY.itemsize))
"""An entry as bytes alone, which are moved in a tenth of the time."""

_PARTS = 16
_BEGINNINGS = np.arange(1, _PARTS, dtype=np.uint64) << np.uint64(60)
"""Where the parts after the first begin."""

GROWN_ROWS, GROWN_CHUNKS = 16_384, 256
"""A part has grown when it holds so many entries, or comes from so many transactions."""


def entries_of(
    hashes: Sequence[bytes],
    states: Sequence[int] | np.ndarray,
    places: Sequence[int],
    versions: Sequence[bytes] | None,
) -> np.ndarray:
    """Entries in the order of their hashes, shape (n,) of ENTRY; of a repeated hash, the last."""
    entries = np.zeros(len(hashes), ENTRY)
    _set_hashes(entries, hashes)
    entries["place"], entries["state"] = places, states
    if versions is not None:
        entries["versioned"], entries["version"] = True, np.frombuffer(b"".join(versions), _VERSION)
    return _at(entries, _newest(entries))


def hash_bytes(entries: np.ndarray) -> bytes:
    """The key hashes of entries, 16 bytes each, one behind the other."""
    return np.stack([entries["high"], entries["low"]], axis=1).astype(">u8").tobytes()


def hashes_of(entries: np.ndarray) -> list[bytes]:
    """The key hashes of entries."""
    octets = hash_bytes(entries)
    return [octets[start : start + HASH_BYTES] for start in range(0, len(octets), HASH_BYTES)]


def part_of(key_hash: bytes) -> int:
    """The part that holds a key hash: its first bits."""
    return key_hash[0] * _PARTS // 256


def append(connection: Connection, destination_id: int, entries: np.ndarray, at: int) -> None:
    """Add entries to the buffer.

    Args:
        connection: The caller's transaction.
        destination_id: Whose entries they are.
        entries: As `entries_of` gives them.
        at: When they were recorded, in unix seconds.
    """
    chunks = np.split(entries, np.searchsorted(entries["high"], _BEGINNINGS))
    rows = [
        {
            "destination_id": destination_id,
            "part": part,
            "rows": len(chunk),
            "at": at,
            "entries": chunk.tobytes(),
        }
        for part, chunk in enumerate(chunks)
        if len(chunk)
    ]
    insert(connection, recent, rows)


def grown_part(connection: Connection, destination_id: int) -> int | None:
    """The part with the most entries, if it has grown."""
    rows = sa.func.sum(recent.c.rows)
    has_grown = sa.or_(rows >= GROWN_ROWS, sa.func.count() >= GROWN_CHUNKS)
    statement = sa.select(recent.c.part).where(recent.c.destination_id == destination_id)
    return connection.execute(
        statement.group_by(recent.c.part).having(has_grown).order_by(rows.desc()).limit(1)
    ).scalar()


def parts(connection: Connection, destination_id: int, before: int) -> list[int]:
    """The parts that hold entries from before a moment in unix seconds."""
    statement = sa.select(recent.c.part).where(
        recent.c.destination_id == destination_id, recent.c.at < before
    )
    return list(connection.execute(statement.distinct()).scalars())


def take(connection: Connection, destination_id: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Remove the entries of a part.

    Returns:
        Them, in the order of their hashes, and when each was recorded, both of shape (n,).
    """
    chosen = sa.and_(recent.c.destination_id == destination_id, recent.c.part == part)
    rows = connection.execute(
        sa.select(recent.c.entries, recent.c.at).where(chosen).order_by(recent.c.id)
    ).all()
    connection.execute(recent.delete().where(chosen))
    chunks = [np.frombuffer(row.entries, ENTRY) for row in rows]
    entries = np.concatenate(chunks)
    at = np.repeat([row.at for row in rows], [len(chunk) for chunk in chunks])
    newest = _newest(entries)
    return _at(entries, newest), at[newest]


class LedgerBuffer:
    """What a process has read of entries that are not in the table; it reads each of them once."""

    def __init__(self, destination_id: int) -> None:
        self._destination_id = destination_id
        self._lock = threading.Lock()
        self._read: list[set[int]] = [set() for _ in range(_PARTS)]
        self._entries = [np.zeros(0, ENTRY) for _ in range(_PARTS)]

    def all(self, connection: Connection) -> np.ndarray:
        """All entries in the order of their hashes, shape (n,) of ENTRY."""
        with self._lock:
            self._catch_up(connection)
            return np.concatenate(self._entries)

    def find(self, connection: Connection, hashes: Sequence[bytes]) -> tuple[list[int], np.ndarray]:
        """Positions of the key hashes that have an entry, and these entries."""
        with self._lock:
            self._catch_up(connection)
            wanted = np.zeros(len(hashes), ENTRY)
            _set_hashes(wanted, hashes)
            order = np.argsort(wanted["high"])
            cuts = np.searchsorted(wanted["high"], _BEGINNINGS, sorter=order)
            rows, found = [], []
            for entries, mine in zip(self._entries, np.split(order, cuts), strict=True):
                at, known = _places(entries, wanted[mine])
                rows.append(mine[known])
                found.append(_at(entries, at[known]))
            return np.concatenate(rows).tolist(), np.concatenate(found)

    def _catch_up(self, connection: Connection) -> None:
        listed: list[set[int]] = [set() for _ in range(_PARTS)]
        for number, part in connection.execute(
            sa.select(recent.c.id, recent.c.part).where(
                recent.c.destination_id == self._destination_id
            )
        ):
            listed[part].add(number)
        for part, numbers in enumerate(listed):
            if not self._read[part] <= numbers:
                self._read[part], self._entries[part] = set(), np.zeros(0, ENTRY)
        unread = sorted(set().union(*listed) - set().union(*self._read))
        for start in range(0, len(unread), 500):
            statement = sa.select(recent.c.id, recent.c.part, recent.c.entries).where(
                recent.c.id.in_(unread[start : start + 500])
            )
            for number, part, entries in connection.execute(statement.order_by(recent.c.id)):
                self._read[part].add(number)
                self._entries[part] = _merged(self._entries[part], np.frombuffer(entries, ENTRY))


def _set_hashes(entries: np.ndarray, hashes: Sequence[bytes]) -> None:
    halves = np.frombuffer(b"".join(hashes), ">u8").reshape(-1, 2)
    entries["high"], entries["low"] = halves[:, 0], halves[:, 1]


def _newest(entries: np.ndarray) -> np.ndarray:
    """Positions of the last entry of each hash, in the order of the hashes."""
    order = np.argsort(entries["high"])
    high = entries["high"][order]
    if (high[1:] != high[:-1]).all():
        return order
    order = np.lexsort((entries["low"], entries["high"]))
    high, low = entries["high"][order], entries["low"][order]
    last = np.ones(len(order), bool)
    last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return order[last]


def _places(entries: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted hash is or belongs among entries in order, and whether it is there."""
    high, low = np.ascontiguousarray(entries["high"]), entries["low"]
    at = np.searchsorted(high, wanted["high"])
    known = np.zeros(len(wanted), bool)
    if len(entries) == 0:
        return at, known
    while True:
        here = np.minimum(at, len(entries) - 1)
        same = (at < len(entries)) & (high[here] == wanted["high"])
        behind = same & (low[here] < wanted["low"])
        if not behind.any():
            return at, same & (low[here] == wanted["low"])
        at = at + behind


def _merged(entries: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Entries in order with newer ones among them."""
    at, known = _places(entries, more)
    entries.view(_BYTES)[at[known]] = more.view(_BYTES)[known]
    new = _at(more, np.flatnonzero(~known))
    places = at[~known] + np.arange(len(new))
    merged = np.empty(len(entries) + len(new), _BYTES)
    old = np.ones(len(merged), bool)
    old[places] = False
    merged[places], merged[old] = new.view(_BYTES), entries.view(_BYTES)
    return merged.view(ENTRY)


def _at(entries: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return entries.view(_BYTES)[positions].view(ENTRY)
