"""How far each slice of a backlog is recorded without a gap, and where the watermark may go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.model import Mark
from connector.state.insert import insert
from connector.state.keys import mark_of, text_of_key
from connector.state.lease import Lease, fence
from connector.state.tables import slices


class Step(NamedTuple):
    """A recorded page of a slice: its number and range, and whether it closes the slice."""

    number: int
    after: Mark | None
    upto: Mark | None
    closes: bool


def plan(connection: Connection, held: Lease, numbers: Sequence[int]) -> None:
    """Begin anew with these slices; the ledger knows the rows of the ones before."""
    fence(connection, held)
    connection.execute(slices.delete().where(slices.c.destination_id == held.destination_id))
    insert(
        connection,
        slices,
        [
            {
                "destination_id": held.destination_id,
                "number": number,
                "token": held.token,
                "complete": False,
            }
            for number in numbers
        ],
    )


def reached(connection: Connection, destination_id: int, number: int) -> Mark | None:
    """Up to where a slice is recorded without a gap; None at its start."""
    chosen = sa.and_(slices.c.destination_id == destination_id, slices.c.number == number)
    row = connection.execute(
        sa.select(slices.c.done_cursor, slices.c.done_key).where(chosen)
    ).one_or_none()
    return None if row is None else mark_of(row.done_cursor, row.done_key)


def advance(
    connection: Connection, destination_id: int, number: int, steps: Sequence[Step]
) -> None:
    """Move the end of a slice over recorded pages, as far as they follow it.

    Of the pages that a stop cut off, one before may be open. The page that closes a slice makes it
    complete in the same way, after all others. Nothing moves where the slice is forgotten, because
    a person put the watermark elsewhere.
    """
    chosen = sa.and_(slices.c.destination_id == destination_id, slices.c.number == number)
    row = connection.execute(
        sa.select(slices.c.done_cursor, slices.c.done_key).where(chosen)
    ).one_or_none()
    if row is None:
        return
    done = before = mark_of(row.done_cursor, row.done_key)
    values: dict[str, Any] = {}
    for step in steps:
        follows = step.after == done if done is not None else step.number == 0
        if follows:
            done = step.upto or done
            if step.closes:
                values["complete"] = True
    if done is not None and done != before:
        values |= {"done_cursor": done.cursor, "done_key": text_of_key(done)}
    if values:
        connection.execute(slices.update().where(chosen).values(values))


def frontier(connection: Connection, destination_id: int) -> Mark | None:
    """The end of what is recorded in the first slice that is not complete: never over a gap."""
    target: Mark | None = None
    chosen = (
        sa.select(slices).where(slices.c.destination_id == destination_id).order_by(slices.c.number)
    )
    for row in connection.execute(chosen):
        target = mark_of(row.done_cursor, row.done_key) or target
        if not row.complete:
            break
    return target
