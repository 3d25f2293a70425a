"""Intents: pages recorded before their requests leave, so that a killed run can be settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.model import Mark, SliceKind
from connector.state.insert import insert
from connector.state.keys import mark_of, text_of_key
from connector.state.lease import Lease, fence
from connector.state.tables import intent


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
    batch_size: int
    digest: bytes
    as_of_us: int


def announce(connection: Connection, held: Lease, intents: Sequence[Intent]) -> None:
    """Record pages whose requests leave next, with one statement."""
    forget(connection, held.destination_id, [(found.slice, found.page) for found in intents])
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
                "batch_size": found.batch_size,
                "digest": found.digest,
                "as_of": found.as_of_us,
            }
            for found in intents
        ],
    )


def forget(connection: Connection, destination_id: int, pages: Sequence[tuple[int, int]]) -> None:
    """Drop the intents of these pages: (slice, page) of each."""
    for number in {slice_number for slice_number, _ in pages}:
        mine = [page for slice_number, page in pages if slice_number == number]
        connection.execute(
            intent.delete().where(
                intent.c.destination_id == destination_id,
                intent.c.slice == number,
                intent.c.page.in_(mine),
            )
        )


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
            row.batch_size,
            bytes(row.digest),
            row.as_of,
        )
        for row in connection.execute(statement)
    ]


def oldest(connection: Connection, destination_id: int) -> int | None:
    """The earliest moment that an open page was made for, in unix microseconds."""
    return connection.execute(
        sa.select(sa.func.min(intent.c.as_of)).where(intent.c.destination_id == destination_id)
    ).scalar()


def settle(connection: Connection, held: Lease, found: Intent) -> None:
    """Drop an intent of which nothing is left to send."""
    fence(connection, held)
    forget(connection, held.destination_id, [(found.slice, found.page)])


def _place(cursor: str, key: str | None) -> Mark:
    place = mark_of(cursor, key)
    assert place is not None, "the column is not nullable"
    return place
