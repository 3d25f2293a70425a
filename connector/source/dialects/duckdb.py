"""DuckDB: inside this process, so it hands over Arrow itself, and its memory is our memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from connector.arrow.text import text_array, whole
from connector.config.engines import create_engine
from connector.source.column_types import YEAR_1, ColumnType, NamedType
from connector.source.dialects.base import (
    BulkRows,
    Cause,
    Dialect,
    DriverError,
    Reader,
    Result,
    UnorderedType,
    Wanted,
    quoted,
)
from connector.source.sql_text import Raw

_KEPT = "16MB"
"""Of its cache, between two transactions."""

_SORTED = "64MB"
"""Of memory, while it finds where to cut a backlog; it sorts what does not fit on disk."""


class DuckDb(Dialect):
    """A DuckDB file, or a database in memory."""

    title = "DuckDB"
    embedded = True
    backslash_escapes = False
    collation = "C"
    spills = True
    limit_sorts_rows = True
    loads = True

    def create_engine(self, url: URL) -> Engine:
        """A file opens read-only."""
        arguments = {} if self.file(url) is None else {"read_only": True}
        return create_engine(url, connect_args=arguments)

    def writable_engine(self, url: URL) -> Engine:
        """A file opens for writing, which needs that nobody else has it open."""
        return create_engine(url)

    def load(self, url: URL, rows: BulkRows) -> None:
        """Arrow batches, which DuckDB reads where they lie."""
        engine = self.writable_engine(url)
        try:
            with engine.begin() as connection:
                table = quoted(connection, rows.table)
                views: Any = connection.connection.driver_connection
                views.register("_capi_none", rows.schema.empty_table())
                connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {table} AS FROM _capi_none")
                conditions = " AND ".join(f"{name} = ?" for name in rows.replaces)
                connection.exec_driver_sql(
                    f"DELETE FROM {table} WHERE {conditions}",  # noqa: S608  names of ours
                    tuple(rows.replaces.values()),
                )
                batches = pa.RecordBatchReader.from_batches(rows.schema, rows.batches)
                views.register("_capi_rows", batches)
                connection.exec_driver_sql(f"INSERT INTO {table} BY NAME FROM _capi_rows")
        finally:
            engine.dispose()

    def spill_into(self, engine: Engine, folder: Path | None) -> None:
        """Encrypted, in a folder of ours; otherwise it lies open beside the warehouse.

        DuckDB brings a cipher of its own, and does not call it secure, because the key does not
        come from a source of randomness made for keys. What else protects the files is the folder.
        """
        place = "" if folder is None else str(folder).replace("'", "''")
        settings = (
            "SET force_mbedtls_unsafe = 'true'",
            "SET temp_file_encryption = true",
            f"SET temp_directory = '{place}'",
        )

        def configure(connection: Any, _record: object) -> None:
            for setting in settings:
                # An older release lacks the first, and an instance that has sorted already keeps
                # its folder, which is the same one.
                with contextlib.suppress(Exception):
                    connection.execute(setting)

        sa.event.listen(engine, "connect", configure)

    def begin(self, connection: Connection) -> None:
        """Times come in UTC; no progress bar is printed."""
        connection.exec_driver_sql("SET TimeZone = 'UTC'")
        connection.exec_driver_sql("SET enable_progress_bar = false")

    def end(self, connection: Connection) -> None:
        """Drop the cache: it grows to most of the machine's memory until its limit is lowered."""
        with contextlib.suppress(SQLAlchemyError), _limited(connection, _KEPT):
            pass

    def column_names(self, connection: Connection, query: str, found: Sequence[str]) -> list[str]:
        """A subquery would rename the second of two equal columns; DESCRIBE does not."""
        return [str(column[0]) for column in connection.execute(Raw(f"DESCRIBE {query}"))]

    def column_type(
        self, connection: Connection, column: ColumnElement[Any], described: Sequence[Any]
    ) -> ColumnType | None:
        """By the type's name, which the driver tells."""
        return _type_named(str(described[1]))

    def selections(
        self, connection: Connection, wanted: Sequence[Wanted]
    ) -> list[ColumnElement[Any]]:
        """Types without an exact value in Arrow come as text or JSON."""
        return [_selection(each.column, str(each.described[1])) for each in wanted]

    def reader(self, engine: Engine) -> Reader:
        """Arrow, sorted only where rows are out of order."""
        return UnsortedReader()

    def in_little_memory(self, connection: Connection, fetch: Callable[[], Result]) -> Result:
        """Sort on disk what does not fit; where that is impossible, take what it needs."""
        try:
            with _limited(connection, _SORTED):
                return fetch()
        except DriverError:
            return fetch()

    def cause(self, error: Exception) -> Cause | None:
        """DuckDB has no error codes, but classes and fixed words."""
        if "IOException" in type(error).__name__:
            if "not a valid DuckDB" in str(error):
                return Cause.NOT_A_DATABASE
            if "lock on file" in str(error):
                return Cause.LOCKED
        return super().cause(error)


def _type_named(name: str) -> ColumnType:
    if name == "TIMESTAMP WITH TIME ZONE":
        return ColumnType("zoned", name, YEAR_1)
    if name in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"):
        return ColumnType("naive", name, YEAR_1)
    if name == "TIMESTAMP_NS":
        return ColumnType("naive", name)
    if name == "DATE":
        return ColumnType("date", name, YEAR_1)
    if name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return ColumnType("integer", "BIGINT")
    if name in ("UBIGINT", "HUGEINT"):
        return ColumnType("integer", "HUGEINT")
    if re.fullmatch(r"DECIMAL\(\d+,\s*0\)", name):
        return ColumnType("integer", name)
    if name in ("VARCHAR", "UUID"):
        return ColumnType("text", name)
    raise UnorderedType


_NATIVE = re.compile(
    r"U?(TINY|SMALL|BIG)INT|U?INTEGER|HUGEINT|DECIMAL\(.*\)|DOUBLE|BOOLEAN|VARCHAR|UUID|BLOB|JSON"
    r"|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|DATE|ENUM\(.*\)|\"?NULL\"?",
    re.DOTALL,
)
"""Types that Arrow has exactly."""

_NESTED = re.compile(r"(STRUCT|MAP|UNION|TUPLE)\(.*|VARIANT|.*\]", re.DOTALL)
_ODD_INSIDE = re.compile(r"MAP|UNION|TUPLE|VARIANT|TIME|INTERVAL|BIT|BIGNUM|UHUGEINT|FLOAT|DATE")
"""Types that Arrow does not have exactly, also inside others."""


def _selection(column: ColumnElement[Any], kind: str) -> ColumnElement[Any]:
    text = sa.cast(column, NamedType("VARCHAR"))
    if _NESTED.fullmatch(kind):
        return sa.cast(sa.func.to_json(column), text.type) if _ODD_INSIDE.search(kind) else column
    if kind == "FLOAT":
        return sa.cast(text, NamedType("DOUBLE"))
    return column if _NATIVE.fullmatch(kind) else text


@contextlib.contextmanager
def _limited(connection: Connection, most: str) -> Iterator[None]:
    """Limit DuckDB's memory for a while; afterwards the usual limit holds again."""
    usual = connection.exec_driver_sql("SELECT current_setting('memory_limit')").scalar()
    connection.exec_driver_sql(f"SET memory_limit = '{most}'")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.exec_driver_sql(f"SET memory_limit = '{usual}'")


class UnsortedReader:
    """Reads a range without sorting it, as long as rows come in order by themselves.

    That takes half the time, and no second copy in memory. Once rows came out of order, DuckDB
    sorts that range and all others.
    """

    def __init__(self) -> None:
        self._in_order = True

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table:
        """The rows of a statement, ordered by the columns whose names begin with `_`."""
        if self._in_order and not statement._has_row_limiting_clause:
            table = _fetch(connection, statement.order_by(None))
            self._in_order = is_in_order(table)
            if self._in_order:
                return table
        return _fetch(connection, statement)

    def close(self) -> None:
        """Nothing is open."""


def _fetch(connection: Connection, statement: sa.Select[Any]) -> pa.Table:
    """On the very connection that SQLAlchemy holds, in its transaction."""
    compiled = statement.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    raw: Any = connection.connection.driver_connection
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    import duckdb  # late: a run on another database does without it

    try:
        table = raw.sql(str(compiled), params=values).to_arrow_table()
    except duckdb.Error as error:
        raise DriverError(error) from None
    return pa.table(
        [
            column if name.startswith("_") else _in_python_range(whole(column))
            for name, column in zip(table.column_names, table.columns, strict=True)
        ],
        names=table.column_names,
    )


_EPOCH = dt.date(1970, 1, 1)
_FIRST_DAY, _LAST_DAY = (dt.date.min - _EPOCH).days, (dt.date.max - _EPOCH).days


def _in_python_range(times: pa.Array) -> pa.Array:
    """Dates and timestamps of which Python does not have all, as text; every other column as it is.

    DuckDB gives infinity as the greatest integer.
    """
    kind = times.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind)):
        return times
    numbers = times.cast(pa.int64() if pa.types.is_timestamp(kind) else pa.int32())
    per_day = 86_400 * _PER_SECOND[kind.unit] if pa.types.is_timestamp(kind) else 1
    ends = pc.min_max(numbers)
    first, last = _FIRST_DAY * per_day, (_LAST_DAY + 1) * per_day - 1
    if not ends["min"].is_valid or (first <= ends["min"].as_py() and ends["max"].as_py() <= last):
        return times
    infinity = 2 ** (numbers.type.bit_width - 1) - 1
    finite = pc.less(pc.abs_checked(pc.max_element_wise(numbers, -infinity)), infinity)
    text = text_array(pc.if_else(finite, times, None))
    words = pc.if_else(pc.greater(numbers, 0), "infinity", "-infinity")
    return pc.if_else(pc.or_kleene(finite, numbers.is_null()), text, words)


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def is_in_order(table: pa.Table) -> bool:
    """Whether no row is less than the one before, by the columns whose names begin with `_`.

    Text counts byte by byte. True where there is no such column; false where a value is null, or of
    a type that a database may order in another way than Arrow.
    """
    if table.num_rows < 2:
        return True
    columns = [table[name].combine_chunks() for name in table.column_names if name.startswith("_")]
    if not all(_is_plain(values.type) and not values.null_count for values in columns):
        return False
    if not columns:
        return True
    after: Any = None
    for values in reversed(columns):
        before, behind = values[:-1], values[1:]
        same = pc.equal(before, behind)
        after = pc.or_(pc.less(before, behind), same if after is None else pc.and_(same, after))
    return bool(pc.all(after, min_count=0).as_py())


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_string(kind)
        or pa.types.is_binary(kind)
    )


DIALECT = DuckDb()
