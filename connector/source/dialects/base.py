"""How each kind of database is opened and how its result becomes an Arrow table.

SQLAlchemy is the way in everywhere; where the driver underneath speaks Arrow, rows are taken in that form.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connector.arrow.convert import array_of_values
from connector.source.dialects.duckdb import is_in_order
from connector.source.dialects.postgresql import arrow_connection
from connector.source.dialects.sqlite import SqliteColumns

_KEPT = "16MB"
"""Of DuckDB's cache, between two transactions."""

_SORTED = "64MB"
"""Of DuckDB's memory, while it finds where to cut a backlog."""


class Fast(Protocol):
    """Another way to the same rows."""

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table | None:
        """Rows in the same columns as by any other way; None where they must be read another way."""

    def close(self) -> None:
        """Give back what it holds."""


class DriverError(Exception):
    """A driver below SQLAlchemy failed; the text is its class alone."""


def array_of(values: Sequence[Any]) -> pa.Array:
    """Python values as an Arrow array."""
    return array_of_values(values)


def engine(url: URL) -> Engine:
    """An engine that reads only, as far as the database can be told so."""
    backend = url.get_backend_name()
    if backend == "duckdb" and url.database not in (None, "", ":memory:"):
        return sa.create_engine(url, connect_args={"read_only": True}, hide_parameters=True)
    if backend == "sqlite" and url.database and not url.database.startswith(("file:", ":memory:")):
        read_only = url.set(database=f"file:{urllib.parse.quote(url.database)}").update_query_dict(
            {"mode": "ro", "uri": "true"}
        )
        return sa.create_engine(read_only, hide_parameters=True)
    if backend == "postgresql":
        options = {
            "options": "-c timezone=UTC -c default_transaction_read_only=on",
            "connect_timeout": 10,
        }
        return sa.create_engine(
            url, connect_args=options, hide_parameters=True, isolation_level="REPEATABLE READ"
        )
    return sa.create_engine(url, hide_parameters=True)


def fast(engine: Engine) -> Fast | None:
    """The fast way to the database of an engine; None where there is none."""
    if engine.dialect.name == "duckdb":
        return UnsortedDuckdb()
    return (
        SqliteColumns()
        if (engine.dialect.name, engine.dialect.driver) == ("sqlite", "pysqlite")
        else arrow_connection(engine)
    )


def begin(connection: Connection) -> None:
    """Settings of one transaction."""
    if connection.dialect.name == "duckdb":
        connection.exec_driver_sql("SET TimeZone = 'UTC'")
        connection.exec_driver_sql("SET enable_progress_bar = false")
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")


def end(connection: Connection) -> None:
    """After one transaction: DuckDB keeps every block that it read, up to most of the machine's memory, until told not to."""
    if connection.dialect.name == "duckdb":
        with contextlib.suppress(SQLAlchemyError), _limited(connection, _KEPT):
            pass


@contextlib.contextmanager
def in_little_memory(connection: Connection) -> Iterator[None]:
    """DuckDB sorts on disk what is more than it may hold here. Where it cannot, the statement fails, and the usual limit holds again."""
    with _limited(connection, _SORTED):
        yield


@contextlib.contextmanager
def _limited(connection: Connection, most: str) -> Iterator[None]:
    """DuckDB holds at most so much; afterwards what it might hold before, whatever happens meanwhile."""
    usual = connection.exec_driver_sql("SELECT current_setting('memory_limit')").scalar()
    connection.exec_driver_sql(f"SET memory_limit = '{most}'")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.exec_driver_sql(f"SET memory_limit = '{usual}'")


def fetch(
    connection: Connection,
    statement: sa.Select[Any],
    names: Mapping[str, str],
    fast: Fast | None = None,
) -> pa.Table:
    """Run a statement and return its rows.

    names: label in SQL -> column name, where they differ. fast: another way to the same database, taken where it gives the
    same columns.
    """
    table = None if fast is None else fast.fetch(connection, statement)
    if table is None:
        table = (
            _fetch_duckdb(connection, statement)
            if connection.dialect.name == "duckdb"
            else _fetch_rows(connection, statement)
        )
    return table.rename_columns([names.get(name, name) for name in table.column_names])


class UnsortedDuckdb:
    """Reads a range of DuckDB without sorting it, as long as rows come in order by themselves: half the time, and a copy of all of it less.

    Remembers where they did not.
    """

    def __init__(self) -> None:
        self._in_order = True

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table | None:
        """The rows of a statement without a limit; None where the database must sort them, by all columns whose names begin with `_`."""
        if not self._in_order or statement._has_row_limiting_clause:
            return None
        table = _fetch_duckdb(connection, statement.order_by(None))
        self._in_order = is_in_order(table)
        return table if self._in_order else None

    def close(self) -> None:
        """Nothing is open."""


def _fetch_rows(connection: Connection, statement: sa.Select[Any]) -> pa.Table:
    """Any database: the driver's own Python values, column by column."""
    result = connection.execute(statement)
    names = list(result.keys())
    driver: Any = connection.dialect.loaded_dbapi
    try:
        rows = result.cursor.fetchall() if result.cursor is not None else []
    except driver.Error as error:
        raise DriverError(type(error).__name__) from None
    result.close()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table(
        [array_of_values(column) if rows else pa.nulls(0) for column in columns], names=names
    )


def _fetch_duckdb(connection: Connection, statement: sa.Select[Any]) -> pa.Table:
    """DuckDB hands over Arrow itself; the raw connection is the one that SQLAlchemy holds, in its transaction."""
    compiled = statement.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    raw: Any = connection.connection.driver_connection
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    import duckdb

    try:
        return raw.sql(str(compiled), params=values).to_arrow_table()
    except duckdb.Error as error:
        raise DriverError(type(error).__name__) from None
