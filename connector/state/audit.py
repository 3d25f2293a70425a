"""Entries of the audit that wait to be written to its files: an outbox.

A checkpoint puts them here in its own transaction, so that what is recorded and what the audit
says never part, wherever the process ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.tables import audit


class WaitingRun(NamedTuple):
    """Entries of one run that wait.

    Attributes:
        run_id: The run, or the act of a person.
        first: Number of the oldest of them.
        last: Number of the newest of them.
        rows: How many rows they speak of.
        at: When the oldest was put, in unix microseconds.
    """

    run_id: str
    first: int
    last: int
    rows: int
    at: int


def put(
    connection: Connection, destination_id: int, run_id: str, entries: bytes, rows: int
) -> None:
    """Add entries.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        run_id: The run, or the act of a person.
        entries: An Arrow stream.
        rows: How many rows it has.
    """
    values = {
        "destination_id": destination_id,
        "run_id": run_id,
        "rows": rows,
        "at": clock.now_us(),
        "entries": entries,
    }
    connection.execute(audit.insert().values(values))


def waiting(connection: Connection, destination_id: int) -> list[WaitingRun]:
    """Runs with entries that wait, the oldest first."""
    first = sa.func.min(audit.c.id)
    statement = (
        sa.select(
            audit.c.run_id,
            first,
            sa.func.max(audit.c.id),
            sa.func.sum(audit.c.rows),
            sa.func.min(audit.c.at),
        )
        .where(audit.c.destination_id == destination_id)
        .group_by(audit.c.run_id)
        .order_by(first)
    )
    return [
        WaitingRun(run_id, int(start), int(end), int(rows), int(at))
        for run_id, start, end, rows, at in connection.execute(statement)
    ]


def entries(connection: Connection, destination_id: int, run: WaitingRun) -> Iterator[bytes]:
    """The Arrow streams of a run's entries, in the order they were put; one at a time."""
    place = run.first - 1
    statement = (
        sa.select(audit.c.id, audit.c.entries)
        .where(*_of(destination_id, run), audit.c.id > sa.bindparam("place"))
        .order_by(audit.c.id)
        .limit(1)
    )
    while (row := connection.execute(statement, {"place": place}).first()) is not None:
        place = row.id
        yield bytes(row.entries)


def drop(connection: Connection, destination_id: int, run: WaitingRun) -> None:
    """Forget entries that were written."""
    connection.execute(audit.delete().where(*_of(destination_id, run)))


def count(connection: Connection, destination_id: int) -> int:
    """How many rows wait to be written."""
    chosen = sa.select(sa.func.sum(audit.c.rows)).where(audit.c.destination_id == destination_id)
    return int(connection.execute(chosen).scalar() or 0)


def _of(destination_id: int, run: WaitingRun) -> list[sa.ColumnElement[bool]]:
    return [
        audit.c.destination_id == destination_id,
        audit.c.run_id == run.run_id,
        audit.c.id.between(run.first, run.last),
    ]
