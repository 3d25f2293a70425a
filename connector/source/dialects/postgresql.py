"""PostgreSQL: over psycopg, and rows over ADBC where its package is installed.

ADBC hands over Arrow columns without a Python object for each value. It changes how fast rows come,
and nothing else: what it refuses, or does not give exactly as psycopg does, is read by psycopg.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql.elements import ColumnElement

from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array, whole
from connector.errors import WarehouseError
from connector.source.column_types import YEAR_1, ColumnType, IsoForm
from connector.source.dialects.base import Dialect, Reader, RowReader, UnorderedType

_TYPES: dict[int, ColumnType] = {
    1184: ColumnType("zoned", "TIMESTAMP WITH TIME ZONE", YEAR_1),
    1114: ColumnType("naive", "TIMESTAMP", YEAR_1),
    1082: ColumnType("date", "DATE", YEAR_1),
    **dict.fromkeys((20, 21, 23), ColumnType("integer", "BIGINT")),
    1700: ColumnType("integer", "NUMERIC"),
    **dict.fromkeys((25, 1042, 1043), ColumnType("text", "TEXT")),
    2950: ColumnType("text", "UUID"),
    5069: ColumnType("xid8", "XID8"),
}
"""OID of a type (pg_type.dat) -> the type."""


class PostgreSql(Dialect):
    """A PostgreSQL server."""

    title = "PostgreSQL"
    backslash_escapes = False
    collation = "C"

    def address(self, url: URL, root: Path) -> URL:
        """SQLAlchemy would take psycopg2 where the URL names no driver."""
        plain = url.drivername in ("postgresql", "postgres")
        return url.set(drivername="postgresql+psycopg") if plain else url

    def create_engine(self, url: URL) -> Engine:
        """One snapshot a transaction; times in UTC; nothing can be written."""
        options = "-c timezone=UTC -c default_transaction_read_only=on"
        return sa.create_engine(
            url,
            connect_args={"options": options, "connect_timeout": 10},
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
        )

    def clock(self, connection: Connection) -> dt.datetime:
        """The server's clock; on a standby, the moment up to which it has replayed.

        What was committed after that moment is not there yet.
        """
        statement = (
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp()"
            " ELSE CURRENT_TIMESTAMP END"
        )
        value: dt.datetime | None = connection.execute(sa.text(statement)).scalar()
        if value is None:
            raise WarehouseError(
                "the warehouse is a standby that has replayed no transaction since it started, so"
                " how far it is cannot be told; try later"
            )
        return value.astimezone(dt.UTC)

    def column_type(
        self, connection: Connection, column: ColumnElement[Any], described: Sequence[Any]
    ) -> ColumnType | None:
        """By the type's OID."""
        known = _TYPES.get(int(described[1]))
        if known is None:
            raise UnorderedType
        return known

    def irregular(
        self, column: ColumnElement[Any], kind: ColumnType, form: IsoForm | None
    ) -> ColumnElement[bool] | None:
        """Numbers that are not whole, NaN and infinity among them."""
        return column - sa.func.trunc(column) != 0 if kind.sql == "NUMERIC" else None

    def selected(self, column: ColumnElement[Any], kind: str) -> ColumnElement[Any]:
        """Times as text: Python has no infinity and no year 20000, and would refuse all rows."""
        return sa.cast(column, sa.Text()) if kind == "time" else column

    def reader(self, engine: Engine) -> Reader:
        """ADBC where it is installed."""
        usable = engine.dialect.driver == "psycopg"
        installed = importlib.util.find_spec("adbc_driver_postgresql") is not None
        return AdbcReader() if usable and installed else RowReader()


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
        import adbc_driver_manager

        try:
            if self._connection is None:
                self._connection = _connect(connection)
            table = self._run(*_compiled(statement))
            self._connection.rollback()
        except (adbc_driver_manager.Error, pa.ArrowException):
            self.close()
            return None
        exact = [_exact(whole(column)) for column in table.columns]
        if any(column is None for column in exact):
            return None
        return pa.table(exact, names=table.column_names)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _run(self, text: str, values: Sequence[object]) -> pa.Table:
        with self._connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetch_arrow_table()


def _connect(connection: Connection) -> Any:
    """A connection over ADBC with the address and the settings of another connection."""
    import adbc_driver_postgresql.dbapi
    from psycopg.conninfo import make_conninfo

    known: Any = connection.connection.driver_connection
    return adbc_driver_postgresql.dbapi.connect(
        make_conninfo(known.info.dsn, password=known.info.password or None)
    )


def _compiled(statement: sa.Select[Any]) -> tuple[str, tuple[object, ...]]:
    """SQL with the parameters $1, $2, ..., and their values."""
    from sqlalchemy.dialects import postgresql

    dialect: Any = postgresql.dialect
    compiled = statement.compile(
        dialect=dialect(paramstyle="numeric_dollar"), compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), tuple(compiled.params[name] for name in compiled.positiontup or ())


def _exact(column: pa.Array) -> pa.Array | None:
    """A column as psycopg's values would make it; None for a type that the two give differently."""
    kind = column.type
    if column.null_count == len(column):
        return array_of_values([None] * len(column)) if len(column) else pa.nulls(0)
    if isinstance(kind, pa.BaseExtensionType):
        return _exact_extension(column)
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
        return column if _in_python_range(column) else None
    # No arrays: ADBC gives {{1,2},{3,4}} as [1, 2, 3, 4].
    same = (
        pa.types.is_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_float64(kind)
        or pa.types.is_binary(kind)
    )
    return column if same else None


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


_EPOCH = dt.date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (dt.date.min - _EPOCH).days, (dt.date.max - _EPOCH).days


def _in_python_range(times: pa.Array) -> bool:
    """Whether all of them are dates that Python has; psycopg refuses the others."""
    days = times.cast(pa.date32(), safe=False).cast(pa.int32())
    ends = pc.min_max(days)
    return bool(ends["min"].as_py() >= _FIRST_DAY and ends["max"].as_py() < _LAST_DAY)


DIALECT = PostgreSql()
