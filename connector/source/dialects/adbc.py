"""Reads PostgreSQL over ADBC: Arrow columns, without a Python object for each value.

It changes how fast rows come, and nothing else: what ADBC refuses, or gives otherwise than psycopg,
is read by psycopg.
"""

from __future__ import annotations

import contextlib
import decimal
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array, whole
from connector.source.dialects.base import RowReader

TRANSACTION_SETTINGS = (
    "SELECT set_config('transaction_read_only', 'on', true), set_config('TimeZone', 'UTC', true),"
    " set_config('DateStyle', 'ISO', true), set_config('extra_float_digits', '1', true)"
)
"""Settings of one transaction. Settings at start-up would be refused by a pooler such as PgBouncer,
and would replace `options` of the URL; settings of the session would stay in the pooler's."""

_ADBC_TYPES = frozenset(
    (
        *("bool", "bytea", "int2", "int4", "int8", "float8", "numeric", "uuid"),
        *("char", "name", "text", "bpchar", "varchar", "date", "timestamp", "timestamptz"),
    )
)
"""As ADBC calls them, with dates and timestamps, which cursor and key may be."""


class AdbcReader:
    """Reads over a second connection, by ADBC, what comes exactly; everything else by psycopg.

    The connection is made when it is first used, reads only, and is for one thread at a time.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._by_row = RowReader()

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table:
        """The rows of a statement."""
        table = self.fetch_arrow(connection, statement)
        return self._by_row.fetch(connection, statement) if table is None else table

    def fetch_arrow(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table | None:
        """The rows of a statement over ADBC, in a transaction of its own.

        Args:
            connection: to the same database, whose settings the second one takes over.
            statement: what to run.

        Returns:
            None where ADBC refuses the statement, or a column of it does not come exactly.
        """
        import adbc_driver_manager  # late: the driver is an extra of the package

        try:
            if self._connection is None:
                self._connection = connect(connection.connection.driver_connection)
            table = self._run(*_compiled(statement))
            self._connection.rollback()
        except (adbc_driver_manager.Error, pa.ArrowException):
            self.close()
            return None
        types = {
            (each.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for each in table.schema
        }
        if not types <= _ADBC_TYPES:
            return None
        return pa.table(
            [_as_by_row(whole(column)) for column in table.columns], names=table.column_names
        )

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _run(self, text: str, values: Sequence[object]) -> pa.Table:
        with self._connection.cursor() as cursor:
            cursor.execute(TRANSACTION_SETTINGS)
            cursor.fetchall()
            cursor.execute(text, values or None)
            return cursor.fetch_arrow_table()


def connect(known: Any) -> Any:
    """A connection over ADBC to the same database as a connection of psycopg."""
    # Late: the drivers are an extra of the package.
    import adbc_driver_postgresql.dbapi
    from psycopg.conninfo import make_conninfo

    return adbc_driver_postgresql.dbapi.connect(
        make_conninfo(known.info.dsn, password=known.info.password or None, client_encoding="UTF8")
    )


def _compiled(statement: sa.Select[Any]) -> tuple[str, tuple[object, ...]]:
    """SQL with the parameters $1, $2, ..., and their values."""
    dialect: Any = postgresql.dialect
    compiled = statement.compile(
        dialect=dialect(paramstyle="numeric_dollar"), compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), tuple(compiled.params[name] for name in compiled.positiontup or ())


def _as_by_row(column: pa.Array) -> pa.Array:
    """A column as `RowReader` would make it."""
    if column.null_count == len(column):
        return array_of_values([None] * len(column)) if len(column) else pa.nulls(0)
    kind = column.type
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return text_array(column)
        numbers = column.storage.to_pylist()
        return array_of_values(
            [None if number is None else decimal.Decimal(number) for number in numbers]
        )
    return column
