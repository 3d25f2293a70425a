"""A second connection to PostgreSQL through ADBC, which hands over Arrow columns without a Python object for each value.

It changes how fast rows come, and nothing else: what it refuses, or cannot give exactly as the driver under SQLAlchemy
does, is None here, and the caller reads it there. The package is optional.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Engine
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter

_MOST_VALUES = 30
"""A range has a few; a statement with more looks up single rows, and loses no time on the way that takes any number."""

_PYTHON_DAYS = dt.date(1, 1, 1), dt.date(9999, 12, 31)


class ArrowConnection:
    """One connection that reads only, in UTC. Made when it is first used; not for several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None

    def fetch(self, statement: sa.Select[Any]) -> pa.Table | None:
        """The rows of a statement, in a transaction of its own; None where they must be read another way."""
        import adbc_driver_manager

        values: list[object] = []
        text = _with_settings(statement, values)
        if len(values) > _MOST_VALUES:
            return None
        try:
            if self._connection is None:
                self._connection = self._connect()
            table = self._run(text, values)
            self._connection.rollback()
        except (adbc_driver_manager.Error, pa.ArrowException):
            self.close()
            return None
        exact = [_exact(column.combine_chunks()) for column in table.columns]
        return None if any(column is None for column in exact) else pa.table(exact, names=table.column_names)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connect(self) -> Any:
        """With the very settings of the engine's own connections: address, time zone, reading only."""
        import adbc_driver_postgresql.dbapi
        from psycopg.conninfo import make_conninfo

        with self._engine.connect() as connection:
            known: Any = connection.connection.driver_connection
            address = make_conninfo(known.info.dsn, password=known.info.password or None)
        return adbc_driver_postgresql.dbapi.connect(address)

    def _run(self, text: str, values: Sequence[object]) -> pa.Table:
        with self._connection.cursor() as cursor:
            if values:
                calls = ", ".join(f"set_config('{_setting(number)}', ${number}, true)" for number in range(1, len(values) + 1))
                cursor.execute(f"SELECT {calls}", tuple(str(value) for value in values))
                cursor.fetchall()
            cursor.execute(text)
            return cursor.fetch_arrow_table()


def arrow_connection(engine: Engine) -> ArrowConnection | None:
    """The fast way to the database of an engine; None where there is none, or its package is not installed."""
    if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
        return None
    if importlib.util.find_spec("adbc_driver_postgresql") is None:
        return None
    return ArrowConnection(engine)


def _with_settings(statement: sa.Select[Any], values: list[object]) -> str:
    """SQL in which every bound value is a setting of the transaction: PostgreSQL takes no parameters where rows come by COPY.

    values: filled with them, in order.
    """

    def setting(element: Any, **_: Any) -> Any:
        if not isinstance(element, BindParameter):
            return None
        values.append(element.effective_value)
        current = sa.func.current_setting(sa.literal_column(f"'{_setting(len(values))}'"))
        return sa.cast(current, sa.BigInteger() if isinstance(values[-1], int) else sa.Text())

    replaced: Any = visitors.replacement_traverse(statement, {}, setting)
    dialect: Any = postgresql.dialect
    return str(replaced.compile(dialect=dialect(paramstyle="numeric_dollar")))


def _setting(number: int) -> str:
    return f"capi.value_{number}"


def _exact(column: pa.Array) -> pa.Array | None:
    """A column as psycopg's values would make it, or None for a type that the two give differently."""
    kind = column.type
    if column.null_count == len(column):
        return pa.nulls(len(column))
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        ends = pc.min_max(column.cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32()))
        least, most = (pa.scalar(day, pa.date32()).cast(kind if pa.types.is_date32(kind) else pa.timestamp("us")).value for day in _PYTHON_DAYS)
        return column if least <= ends["min"].as_py() and ends["max"].as_py() < most else None
    return column if pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_float64(kind) or pa.types.is_binary(kind) else None
