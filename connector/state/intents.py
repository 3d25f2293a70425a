"""Intents: pages recorded before their requests leave, so that a killed run can be settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.model import Mark, SliceKind
from connector.state.insert import insert
from connector.state.keys import mark_of, text_of_key
from connector.state.lease import Lease, fence
from connector.state.tables import intent

NOT_SENT, SETTLED = 254, 255
"""In `Intent.states`, in place of what was recorded of a row before."""


@dataclass(frozen=True)
class Intent:
    """A page that was about to be sent.

    Attributes:
        slice: Number of its slice.
        page: Its place in the slice.
        kind: What its rows are.
        after: They lie behind this place.
        upto: They end with this place.
        members: Key hashes of its rows, in order.
        states: What was recorded of each before: a `RowState`, 0 for nothing, NOT_SENT for a row
            that is in no request, SETTLED for one whose answer came; shape (n,).
        batch_size: Records a request at most.
        digest: SHA-256 of the records, to see that a resend is the same.
        as_of_us: The moment that the records were made for, in unix microseconds.
    """

    slice: int
    page: int
    kind: SliceKind
    after: Mark | None
    upto: Mark
    members: list[bytes]
    states: bytes
    batch_size: int
    digest: bytes
    as_of_us: int


def announce(connection: Connection, held: Lease, intents: Sequence[Intent]) -> None:
    """Record pages whose requests leave next, with one statement; of none is there an intent."""
    insert(
        connection,
        intent,
        [
            {
                "destination_id": held.destination_id,
                "slice": found.slice,
                "page": found.page,
                "token": held.token,
                "kind": found.kind,
                "after_cursor": None if found.after is None else found.after.cursor,
                "after_key": None if found.after is None else text_of_key(found.after),
                "to_cursor": found.upto.cursor,
                "to_key": text_of_key(found.upto),
                "members": b"".join(found.members),
                "states": found.states,
                "batch_size": found.batch_size,
                "digest": found.digest,
                "as_of": found.as_of_us,
            }
            for found in intents
        ],
    )


def forget(connection: Connection, destination_id: int, pages: Sequence[tuple[int, int]]) -> None:
    """Drop the intents of these pages, with one statement: (slice, page) of each."""
    if pages:
        mine = sa.tuple_(intent.c.slice, intent.c.page).in_(pages)
        connection.execute(intent.delete().where(intent.c.destination_id == destination_id, mine))


def clear(connection: Connection, destination_id: int) -> None:
    """Drop all intents."""
    connection.execute(intent.delete().where(intent.c.destination_id == destination_id))


def listed(
    connection: Connection, destination_id: int, numbers: Sequence[int] | None = None
) -> list[Intent]:
    """Pages that may have been sent, in order; of all slices, or of these alone."""
    statement = (
        sa.select(intent)
        .where(intent.c.destination_id == destination_id)
        .order_by(intent.c.slice, intent.c.page)
    )
    if numbers is not None:
        statement = statement.where(intent.c.slice.in_(numbers))
    return [
        Intent(
            row.slice,
            row.page,
            row.kind,
            mark_of(row.after_cursor, row.after_key),
            _place(row.to_cursor, row.to_key),
            [bytes(row.members[start : start + 16]) for start in range(0, len(row.members), 16)],
            bytes(row.states),
            row.batch_size,
            bytes(row.digest),
            row.as_of,
        )
        for row in connection.execute(statement)
    ]


def rekey(connection: Connection, destination_id: int, new_hash: Callable[[bytes], bytes]) -> None:
    """Give the rows of open pages the hashes of their keys under another key."""
    for found in listed(connection, destination_id):
        chosen = sa.and_(
            intent.c.destination_id == destination_id,
            intent.c.slice == found.slice,
            intent.c.page == found.page,
        )
        members = b"".join(map(new_hash, found.members))
        connection.execute(intent.update().where(chosen).values(members=members))


def is_open(connection: Connection, destination_id: int, key_hash: bytes) -> bool:
    """Whether a row is in a request that may have been taken, and whose answer did not come."""
    return any(
        state not in (NOT_SENT, SETTLED)
        for found in listed(connection, destination_id)
        for member, state in zip(found.members, found.states, strict=True)
        if member == key_hash
    )


def oldest(connection: Connection, destination_id: int) -> int | None:
    """The earliest moment that an open page was made for, in unix microseconds."""
    return connection.execute(
        sa.select(sa.func.min(intent.c.as_of)).where(intent.c.destination_id == destination_id)
    ).scalar()


def set_settled(
    connection: Connection, destination_id: int, page: tuple[int, int], settled: Sequence[bool]
) -> None:
    """Record which rows of an open page are settled.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        page: Slice and page number.
        settled: For each row of the page, whether its answer came, shape (n,).
    """
    chosen = sa.and_(
        intent.c.destination_id == destination_id,
        intent.c.slice == page[0],
        intent.c.page == page[1],
    )
    before = connection.execute(sa.select(intent.c.states).where(chosen)).scalar()
    if before is not None:
        states = [SETTLED if done else state for state, done in zip(before, settled, strict=True)]
        connection.execute(intent.update().where(chosen).values(states=bytes(states)))


def settle(connection: Connection, held: Lease, found: Intent) -> None:
    """Drop an intent of which nothing is left to send."""
    fence(connection, held)
    forget(connection, held.destination_id, [(found.slice, found.page)])


def _place(cursor: str, key: str | None) -> Mark:
    place = mark_of(cursor, key)
    assert place is not None, "the column is not nullable"
    return place
