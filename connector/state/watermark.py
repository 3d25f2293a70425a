"""The watermark: where it is, and from where runs have looked behind it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.errors import Fenced
from connector.model import Mark
from connector.state import slice_progress
from connector.state.keys import mark_of, text_of_key
from connector.state.lease import Lease
from connector.state.tables import mark


def read(connection: Connection, destination_id: int) -> Mark | None:
    """The watermark, or None before the first page."""
    row = connection.execute(
        sa.select(mark.c.cursor, mark.c.key).where(mark.c.destination_id == destination_id)
    ).one()
    return mark_of(row.cursor, row.key)


def advance(connection: Connection, held: Lease) -> Mark | None:
    """Move the watermark to the end of what is recorded without a gap.

    Returns:
        Where it is then; None where no slice is recorded yet.

    Raises:
        Fenced: Another run moved it.
    """
    target = slice_progress.frontier(connection, held.destination_id)
    if target is None:
        return None
    before = connection.execute(
        sa.select(mark.c.cursor, mark.c.key).where(mark.c.destination_id == held.destination_id)
    ).one()
    unchanged = sa.and_(
        mark.c.cursor.is_not_distinct_from(before.cursor),
        mark.c.key.is_not_distinct_from(before.key),
    )
    statement = mark.update().where(
        mark.c.destination_id == held.destination_id,
        mark.c.token == held.token,
        unchanged,
    )
    if (
        connection.execute(statement.values(cursor=target.cursor, key=text_of_key(target))).rowcount
        != 1
    ):
        raise Fenced("another run moved the watermark; this run records nothing more")
    return target


def looked_behind(connection: Connection, destination_id: int) -> str | None:
    """Where the watermark was when a run last looked behind it; None before the first time."""
    return connection.execute(
        sa.select(mark.c.looked).where(mark.c.destination_id == destination_id)
    ).scalar_one()


def begin_to_look(connection: Connection, held: Lease) -> None:
    """Where no run has looked behind the watermark yet, lookback counts from where it is now."""
    chosen = sa.and_(mark.c.destination_id == held.destination_id, mark.c.looked.is_(None))
    connection.execute(mark.update().where(chosen).values(looked=mark.c.cursor))


def set_looked_behind(connection: Connection, held: Lease, cursor: str) -> None:
    """Everything that was to be found behind a watermark with this cursor is recorded."""
    chosen = sa.and_(mark.c.destination_id == held.destination_id, mark.c.token == held.token)
    connection.execute(mark.update().where(chosen).values(looked=cursor))


def put(connection: Connection, held: Lease, where: Mark | None) -> None:
    """Put the watermark somewhere else; slices of the old one move it no more."""
    slice_progress.plan(connection, held, [])
    values = {
        "cursor": None if where is None else where.cursor,
        "key": None if where is None else text_of_key(where),
        "looked": None,
    }
    connection.execute(
        mark.update().where(mark.c.destination_id == held.destination_id).values(values)
    )
