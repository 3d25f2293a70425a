"""Every database that has no file of its own here: what SQLAlchemy and its driver do by themselves.

Types of cursor and key are recognised by a value: descriptions differ from driver to driver.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.source.column_types import ColumnType
from connector.source.dialects.base import Dialect, UnorderedType


class Generic(Dialect):
    """A database of any kind."""

    title = "database"

    def column_type(
        self, connection: Connection, column: ColumnElement[Any], described: Sequence[Any]
    ) -> ColumnType | None:
        """The type that one of the column's values has."""
        value = a_value(connection, column)
        return None if value is None else type_of(value)


def a_value(connection: Connection, column: ColumnElement[Any]) -> Any:
    """A value of a column that is not null; None where there is none."""
    statement = sa.select(column).where(column.is_not(None)).limit(1)
    return connection.execute(statement).scalar()


def type_of(value: Any) -> ColumnType:
    """The type of a column by a Python value. Raises UnorderedType."""
    if isinstance(value, bool):
        raise UnorderedType
    if isinstance(value, dt.datetime):
        return (
            ColumnType("zoned", "TIMESTAMP WITH TIME ZONE")
            if value.tzinfo
            else ColumnType("naive", "TIMESTAMP")
        )
    if isinstance(value, dt.date):
        return ColumnType("date", "DATE")
    if isinstance(value, int):
        return ColumnType("integer")
    if isinstance(value, str):
        return ColumnType("text")
    raise UnorderedType


DIALECT = Generic()
