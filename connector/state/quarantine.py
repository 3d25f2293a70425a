"""Rejected rows: a pointer into the warehouse and a reason, never the row itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.tables import quarantine

ATTEMPTS_UNTIL_DEAD = 5
"""A row that was refused so often is dead: only a person brings it back."""

_CHUNK = 500


@dataclass(frozen=True)
class Quarantined:
    """One row that was not accepted.

    Attributes:
        key_hash: HASH_BYTES.
        key: Texts of the key columns; None where they may describe a person.
        cursor: Exact text.
        reason: Our code, or `platform_rejected`.
        field: What is to blame.
        code: The platform's.
        message: The platform's, redacted.
        state: rejected, dead or ambiguous_expired.
        attempts: How often it was tried.
        first_seen: Unix microseconds.
        last_seen: When it was last tried, in unix microseconds.
    """

    key_hash: bytes
    key: tuple[str, ...] | None
    cursor: str | None
    reason: str
    field: str | None
    code: str | None
    message: str | None
    state: str = "rejected"
    attempts: int = 1
    first_seen: int = 0
    last_seen: int = 0


class Tries(NamedTuple):
    """How often a row was tried.

    Attributes:
        attempts: How often.
        first_seen: When first, in unix microseconds.
    """

    attempts: int
    first_seen: int


def tries(
    connection: Connection, destination_id: int, hashes: Sequence[bytes]
) -> dict[bytes, Tries]:
    """How often rows in quarantine were tried, by their key hashes."""
    return {
        found.key_hash: Tries(found.attempts, found.first_seen)
        for found in _find(connection, destination_id, hashes)
    }


def added(connection: Connection, destination_id: int, since_us: int, until_us: int) -> int:
    """How many rows were first refused between two moments, in unix microseconds."""
    chosen = sa.select(sa.func.count()).where(
        quarantine.c.destination_id == destination_id,
        quarantine.c.first_seen > since_us,
        quarantine.c.first_seen <= until_us,
    )
    return int(connection.execute(chosen).scalar() or 0)


def put(connection: Connection, destination_id: int, rows: Sequence[Quarantined]) -> None:
    """Add rows; one that is there already counts another attempt and takes the new reason."""
    if not rows:
        return
    seen = {
        found.key_hash: found
        for found in _find(connection, destination_id, [row.key_hash for row in rows])
    }
    now = clock.now_us()
    new, again = [], []
    for row in rows:
        old = seen.get(row.key_hash)
        attempts = row.attempts if old is None else old.attempts + row.attempts
        state = "dead" if row.state == "rejected" and attempts >= ATTEMPTS_UNTIL_DEAD else row.state
        values = {
            "cursor": row.cursor,
            "state": state,
            "reason": row.reason,
            "field": row.field,
            "code": row.code,
            "message": row.message,
            "attempts": attempts,
            "last_seen": now,
        }
        if old is None:
            key = None if row.key is None else json.dumps(row.key)
            new.append(
                {
                    **values,
                    "destination_id": destination_id,
                    "key_hash": row.key_hash,
                    "key": key,
                    "first_seen": now,
                }
            )
        else:
            again.append(
                {**{f"new_{name}": value for name, value in values.items()}, "of": row.key_hash}
            )
    if new:
        connection.execute(quarantine.insert(), new)
    if again:
        chosen = sa.and_(
            quarantine.c.destination_id == destination_id,
            quarantine.c.key_hash == sa.bindparam("of"),
        )
        names = ("cursor", "state", "reason", "field", "code", "message", "attempts", "last_seen")
        connection.execute(
            quarantine.update()
            .where(chosen)
            .values({name: sa.bindparam(f"new_{name}") for name in names}),
            again,
        )


def remove(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> None:
    """Forget rows that were settled."""
    for start in range(0, len(hashes), _CHUNK):
        chosen = quarantine.c.key_hash.in_(hashes[start : start + _CHUNK])
        connection.execute(
            quarantine.delete().where(quarantine.c.destination_id == destination_id, chosen)
        )


def reopen(connection: Connection, destination_id: int, hashes: Sequence[bytes]) -> None:
    """Let the next replay try rows again that waited for a decision."""
    for start in range(0, len(hashes), _CHUNK):
        chosen = sa.and_(
            quarantine.c.destination_id == destination_id,
            quarantine.c.key_hash.in_(hashes[start : start + _CHUNK]),
        )
        connection.execute(
            quarantine.update().where(chosen).values(state="rejected", reason="ambiguous_resend")
        )


def mark_dead(
    connection: Connection, destination_id: int, hashes: Sequence[bytes], reason: str
) -> None:
    """Mark rows that no replay tries again by itself."""
    for start in range(0, len(hashes), _CHUNK):
        chosen = sa.and_(
            quarantine.c.destination_id == destination_id,
            quarantine.c.key_hash.in_(hashes[start : start + _CHUNK]),
        )
        connection.execute(quarantine.update().where(chosen).values(state="dead", reason=reason))


def listed(
    connection: Connection,
    destination_id: int,
    *,
    reason: str | None = None,
    state: str | None = None,
    key_hash: bytes | None = None,
    since_us: int | None = None,
    limit: int | None = None,
) -> Iterator[Quarantined]:
    """Quarantined rows in the order they came.

    Args:
        connection: A transaction.
        destination_id: The destination.
        reason: Only rows with this reason code.
        state: Only rows in this state.
        key_hash: Only this row.
        since_us: Only rows that were tried at this moment or later, in unix microseconds.
        limit: Rows at most.
    """
    statement = (
        sa.select(quarantine)
        .where(quarantine.c.destination_id == destination_id)
        .order_by(quarantine.c.id)
    )
    if reason is not None:
        statement = statement.where(quarantine.c.reason == reason)
    if state is not None:
        statement = statement.where(quarantine.c.state == state)
    if key_hash is not None:
        statement = statement.where(quarantine.c.key_hash == key_hash)
    if since_us is not None:
        statement = statement.where(quarantine.c.last_seen >= since_us)
    if limit is not None:
        statement = statement.limit(limit)
    for row in connection.execute(statement):
        yield _quarantined(row)


def counts(connection: Connection, destination_id: int, state: str | None = None) -> dict[str, int]:
    """Rows by reason."""
    statement = sa.select(quarantine.c.reason, sa.func.count()).where(
        quarantine.c.destination_id == destination_id
    )
    if state is not None:
        statement = statement.where(quarantine.c.state == state)
    return {
        str(reason): int(number)
        for reason, number in connection.execute(
            statement.group_by(quarantine.c.reason).order_by(quarantine.c.reason)
        )
    }


def clear(connection: Connection, destination_id: int) -> None:
    """Forget all rows."""
    connection.execute(quarantine.delete().where(quarantine.c.destination_id == destination_id))


def rekey(
    connection: Connection,
    destination_id: int,
    new_hash: Callable[[bytes, tuple[str, ...] | None], bytes],
) -> None:
    """Give rows the hash of their key under another key of the installation.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        new_hash: From the old hash, and the texts of the key where they are stored.
    """
    rows = list(listed(connection, destination_id))
    chosen = sa.and_(
        quarantine.c.destination_id == destination_id,
        quarantine.c.key_hash == sa.bindparam("old"),
    )
    if rows:
        connection.execute(
            quarantine.update().where(chosen).values(key_hash=sa.bindparam("new")),
            [{"old": row.key_hash, "new": new_hash(row.key_hash, row.key)} for row in rows],
        )


def prune(connection: Connection, destination_id: int, before_us: int) -> int:
    """Drop rows last seen before a moment; what a person must still decide stays."""
    stale = sa.and_(
        quarantine.c.destination_id == destination_id,
        quarantine.c.last_seen < before_us,
        quarantine.c.state != "ambiguous_expired",
    )
    return connection.execute(quarantine.delete().where(stale)).rowcount


def _find(
    connection: Connection, destination_id: int, hashes: Sequence[bytes]
) -> Iterator[Quarantined]:
    for start in range(0, len(hashes), _CHUNK):
        chosen = quarantine.c.key_hash.in_(hashes[start : start + _CHUNK])
        for row in connection.execute(
            sa.select(quarantine).where(quarantine.c.destination_id == destination_id, chosen)
        ):
            yield _quarantined(row)


def _quarantined(row: sa.Row[tuple[object, ...]]) -> Quarantined:
    key = None if row.key is None else tuple(json.loads(row.key))
    return Quarantined(
        bytes(row.key_hash),
        key,
        row.cursor,
        row.reason,
        row.field,
        row.code,
        row.message,
        row.state,
        row.attempts,
        row.first_seen,
        row.last_seen,
    )
