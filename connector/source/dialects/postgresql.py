"""PostgreSQL: over psycopg, and rows over ADBC where its package is installed."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql.elements import ColumnElement

from connector.config.engines import create_engine
from connector.errors import WarehouseError
from connector.source.column_types import YEAR_1, ColumnType, IsoForm
from connector.source.dialects.adbc import TRANSACTION_SETTINGS, AdbcReader, connect
from connector.source.dialects.base import (
    BulkRows,
    Dialect,
    DriverError,
    Reader,
    RowReader,
    UnorderedType,
    Wanted,
    quoted,
)

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
"""OID of a type (pg_type.dat) -> the type, of columns that rows can be ordered by."""

_TIMES = {1114: "", 1184: "Z"}
"""OIDs of timestamps -> what their ISO 8601 text ends with."""

_NATIVE = frozenset((16, 17, 18, 19, 20, 21, 23, 25, 701, 1042, 1043, 1700, 2950))
"""OIDs of types that both drivers give exactly: truth values, bytes, integers, numeric, double
precision, texts, UUID. Every other type is selected by an expression that gives one of these."""


_SQL_TYPES = {
    pa.string(): "text",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}
"""Types of columns that `load` creates."""


class PostgreSql(Dialect):
    """A PostgreSQL server."""

    title = "PostgreSQL"
    backslash_escapes = False
    collation = "C"
    loads = True

    def address(self, url: URL, root: Path) -> URL:
        """SQLAlchemy would take psycopg2 where the URL names no driver."""
        plain = url.drivername in ("postgresql", "postgres")
        return url.set(drivername="postgresql+psycopg") if plain else url

    def create_engine(self, url: URL) -> Engine:
        """One snapshot a transaction; psycopg prepares no statement, as each ends with ROLLBACK."""
        arguments = {"client_encoding": "utf8", "connect_timeout": 10}
        return create_engine(
            url,
            connect_args={
                name: value for name, value in arguments.items() if name not in url.query
            },
            isolation_level="REPEATABLE READ",
        )

    def load(self, url: URL, rows: BulkRows) -> None:
        """COPY over ADBC, in binary."""
        import adbc_driver_manager  # late: the driver is an extra of the package

        engine = self.writable_engine(url)
        try:
            with engine.connect() as connection:
                table = quoted(connection, rows.table)
                writer = connect(connection.connection.driver_connection)
            with contextlib.closing(writer), writer.cursor() as cursor:
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} ({_columns(rows.schema)})")
                conditions = " AND ".join(
                    f"{name} = ${place}" for place, name in enumerate(rows.replaces, 1)
                )
                cursor.execute(
                    f"DELETE FROM {table} WHERE {conditions}",  # noqa: S608  names of ours
                    tuple(rows.replaces.values()),
                )
                schema, _, name = rows.table.rpartition(".")
                batches = pa.RecordBatchReader.from_batches(rows.schema, rows.batches)
                cursor.adbc_ingest(name, batches, mode="append", db_schema_name=schema or None)
                writer.commit()
        except adbc_driver_manager.Error as error:
            raise DriverError(error) from None
        finally:
            engine.dispose()

    def begin(self, connection: Connection) -> None:
        """Nothing can be written; times come in UTC, and in the form of ISO 8601."""
        connection.exec_driver_sql(TRANSACTION_SETTINGS)

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
                " how far it is cannot be known; try later"
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

    def selections(
        self, connection: Connection, wanted: Sequence[Wanted]
    ) -> list[ColumnElement[Any]]:
        """Types without an exact value in Arrow or Python come as text, JSON or numeric."""
        oids = [int(each.described[1]) for each in wanted]
        nested = _nested(connection, set(oids) - _NATIVE - _WITH_EXPRESSIONS)
        found = [_selection(each, oid, nested) for each, oid in zip(wanted, oids, strict=True)]
        if _keeps_any_bytes(connection):
            return [
                column if oid in _NO_TEXT else _as_bytes(column)
                for column, oid in zip(found, oids, strict=True)
            ]
        return found

    def ordering_selections(
        self,
        connection: Connection,
        columns: Sequence[ColumnElement[Any]],
        types: Sequence[ColumnType],
    ) -> Sequence[ColumnElement[Any]]:
        """Transaction numbers as text; the drivers know no such type."""
        any_bytes = _keeps_any_bytes(connection)
        return [
            sa.cast(column, sa.Text())
            if kind.kind == "xid8"
            else _as_bytes(column)
            if any_bytes and kind.collated
            else column
            for column, kind in zip(columns, types, strict=True)
        ]

    def reader(self, engine: Engine) -> Reader:
        """ADBC where it is installed."""
        usable = engine.dialect.driver == "psycopg"
        installed = importlib.util.find_spec("adbc_driver_postgresql") is not None
        return AdbcReader() if usable and installed else RowReader()


_MONEY, _REAL, _DATE, _JSON, _JSONB, _INET = 790, 700, 1082, 114, 3802, 869
_WITH_EXPRESSIONS = frozenset((_MONEY, _REAL, _DATE, _JSON, _JSONB, _INET, *_TIMES))


_NO_TEXT = frozenset((16, 17, 20, 21, 23, 701, 1700, 2950, _MONEY, _REAL))


def _keeps_any_bytes(connection: Connection) -> bool:
    """Whether text of the database may be no UTF-8; PostgreSQL would refuse to send all rows."""
    known: Any = connection.connection.driver_connection
    return bool(known.info.parameter_status("server_encoding") == "SQL_ASCII")


def _as_bytes(column: Any) -> ColumnElement[Any]:
    """Text as its bytes, which become text again one by one, as far as they are UTF-8."""
    return sa.func.convert_to(sa.cast(column, sa.Text()), sa.literal_column("'SQL_ASCII'"))


def _nested(connection: Connection, oids: set[int]) -> set[int]:
    """Those of the types that are arrays or have fields, which have no text but JSON."""
    if not oids:
        return set()
    statement = sa.text(
        "SELECT oid FROM pg_catalog.pg_type WHERE (typcategory = 'A' OR typtype = 'c'"
        " OR typname = 'record') AND oid IN :oids"
    ).bindparams(sa.bindparam("oids", sorted(oids), expanding=True))
    return {int(oid) for (oid,) in connection.execute(statement)}


def _selection(wanted: Wanted, oid: int, nested: set[int]) -> ColumnElement[Any]:
    column: Any = wanted.column
    text = sa.cast(column, sa.Text())
    if oid in _NATIVE:
        return column
    if oid == _MONEY:
        # As text it is written as the server's locale says, and ADBC gives hundredths.
        return sa.cast(column, sa.Numeric())
    if oid == _REAL:
        return sa.cast(text, sa.Double())
    if oid in _TIMES and wanted.kind != "time":
        return _iso_time(column, _TIMES[oid])
    if oid in (_JSON, _JSONB):
        return _whole_json(column)
    if oid == _INET:
        return sa.func.abbrev(column)
    if oid in nested:
        return _whole_json(sa.func.to_json(column))
    # Among others times: Python has no infinity and no year 20000, and would refuse all rows.
    return text


def _whole_json(column: Any) -> ColumnElement[Any]:
    """JSON as it is written, a string of it without its quotes; JSON's null as NULL."""
    return column.op("#>>")(sa.literal_column("'{}'"))


def _iso_time(column: Any, zone: str) -> ColumnElement[Any]:
    """ISO 8601 text of a timestamp; what that cannot say as PostgreSQL writes it."""
    form: Any = sa.literal_column(f'\'YYYY-MM-DD"T"HH24:MI:SS.US"{zone}"\'')
    first: Any = sa.literal_column("timestamp '0001-01-01'")
    end: Any = sa.literal_column("timestamp '10000-01-01'")
    return sa.case(
        (sa.and_(column >= first, column < end), sa.func.to_char(column, form)),
        else_=sa.cast(column, sa.Text()),
    )


def _columns(schema: pa.Schema) -> str:
    """Columns of a new table, in SQL."""
    return ", ".join(f"{field.name} {_SQL_TYPES[field.type]}" for field in schema)


DIALECT = PostgreSql()
