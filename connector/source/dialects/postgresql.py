"""A second connection to PostgreSQL through ADBC, which hands over Arrow columns without a Python object for each value.

It changes how fast rows come, and nothing else: what it refuses, or cannot give exactly as the driver under SQLAlchemy
does, is None here, and the caller reads it there. The package is optional.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import importlib.util
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter

from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array, whole

_MOST_VALUES = 30
"""A range has a few; a statement with more looks up single rows, and loses no time on the way that takes any number."""

_EPOCH = dt.date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (dt.date.min - _EPOCH).days, (dt.date.max - _EPOCH).days


class ArrowConnection:
    """One connection that reads only, in UTC. Made when it is first used; not for several threads at once."""

    def __init__(self) -> None:
        self._connection: Any = None

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table | None:
        """The rows of a statement, in a transaction of its own; None where they must be read another way. connection: to the same database."""
        import adbc_driver_manager

        values: list[object] = []
        text = _with_settings(statement, values)
        if len(values) > _MOST_VALUES:
            return None
        try:
            if self._connection is None:
                self._connection = _connect(connection)
            table = self._run(text, values)
            self._connection.rollback()
        except (adbc_driver_manager.Error, pa.ArrowException):
            self.close()
            return None
        exact = [_exact(whole(column)) for column in table.columns]
        return (
            None
            if any(column is None for column in exact)
            else pa.table(exact, names=table.column_names)
        )

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _run(self, text: str, values: Sequence[object]) -> pa.Table:
        with self._connection.cursor() as cursor:
            if values:
                calls = ", ".join(
                    f"set_config('{_setting(number)}', ${number}, true)"
                    for number in range(1, len(values) + 1)
                )
                cursor.execute(f"SELECT {calls}", tuple(str(value) for value in values))
                cursor.fetchall()
            cursor.execute(text)
            return cursor.fetch_arrow_table()


def _connect(connection: Connection) -> Any:
    """With the very settings of another connection: address, time zone, reading only."""
    import adbc_driver_postgresql.dbapi
    from psycopg.conninfo import make_conninfo

    known: Any = connection.connection.driver_connection
    return adbc_driver_postgresql.dbapi.connect(
        make_conninfo(known.info.dsn, password=known.info.password or None)
    )


def arrow_connection(engine: Engine) -> ArrowConnection | None:
    """The fast way to the database of an engine; None where there is none, or its package is not installed."""
    if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
        return None
    if importlib.util.find_spec("adbc_driver_postgresql") is None:
        return None
    return ArrowConnection()


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
    from sqlalchemy.dialects import postgresql

    dialect: Any = postgresql.dialect
    return str(replaced.compile(dialect=dialect(paramstyle="numeric_dollar")))


def _setting(number: int) -> str:
    return f"capi.value_{number}"


def _exact(column: pa.Array) -> pa.Array | None:
    """A column as psycopg's values would make it, or None for a type of which the two make different things."""
    kind = column.type
    if column.null_count == len(column):
        return array_of_values([None] * len(column)) if len(column) else pa.nulls(0)
    if isinstance(kind, pa.BaseExtensionType):
        return _exact_extension(column)
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        return column if _in_python_range(column) else None
    # Of arrays none is taken: this driver gives {{1,2},{3,4}} as [1, 2, 3, 4].
    return (
        column
        if pa.types.is_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_binary(kind)
        else None
    )


def _exact_extension(column: pa.ExtensionArray) -> pa.Array | None:
    name = column.type.extension_name
    if name == "arrow.uuid":
        return text_array(column)
    if name == "arrow.json":
        return array_of_values(
            [None if text is None else json.loads(text) for text in column.storage.to_pylist()]
        )
    if name == "arrow.opaque" and column.type.type_name == "numeric":
        return array_of_values(
            [None if text is None else decimal.Decimal(text) for text in column.storage.to_pylist()]
        )
    return None


def _in_python_range(times: pa.Array) -> bool:
    """Whether all of them are dates that Python has; psycopg refuses the others."""
    days = times.cast(pa.date32(), safe=False).cast(pa.int32())
    ends = pc.min_max(days)
    return bool(ends["min"].as_py() >= _FIRST_DAY and ends["max"].as_py() < _LAST_DAY)
