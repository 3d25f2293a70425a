"""Many rows with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


def insert(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], otherwise: str = ""
) -> None:
    """Insert rows with one statement, where there are any.

    SQLAlchemy compiles a statement of many rows anew each time, which takes as long as the insert;
    and one statement a row hands Python's lock over for each.

    Args:
        connection: A transaction that writes.
        table: Where to.
        rows: Each with a value for the same columns.
        otherwise: An ON CONFLICT clause.
    """
    if not rows:
        return
    place = "%s" if connection.dialect.paramstyle in ("format", "pyformat") else "?"
    names = ", ".join(map(connection.dialect.identifier_preparer.quote, rows[0]))
    places = ", ".join([f"({', '.join([place] * len(rows[0]))})"] * len(rows))
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) VALUES {places} {otherwise}",  # noqa: S608
        tuple(value for row in rows for value in row.values()),
    )
