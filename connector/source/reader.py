"""The warehouse: a query, read in (cursor, key) order, in pages of rows that can be found again.

The user's SQL runs as a subquery from which only mapped columns are selected, so a column that no destination needs never
leaves the database. There is no templating: every value is a bound parameter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from connector.arrow.composite_key import joined
from connector.arrow.convert import to_frame
from connector.arrow.text import text_array
from connector.config.destination import Destination
from connector.config.extras import missing_driver
from connector.config.models import Source
from connector.config.secrets import is_reference, resolve
from connector.errors import ConfigError, WarehouseError
from connector.model import Mark, Range
from connector.source.dialects import base as readers
from connector.source.errors import told
from connector.source.introspect import Description, describe, query_columns, required_columns
from connector.source.prefetch import made_at_once
from connector.source.watermark import Cursor, earlier, where
from connector.syntax.spelling import rows_that

if TYPE_CHECKING:
    import pandas as pd

READ_ROWS = 100_000
READ_BYTES = 16 * 1024**2
"""What is read with one statement, whichever is less; pages are cut from it."""

THREADS = 2
"""So many ask SQLite for what comes next; each holds one answer."""


@dataclass
class _Portion:
    """What one statement is for: pages of `size` rows, as many as READ_ROWS and READ_BYTES allow. One page until it is known how long rows are."""

    size: int
    row_bytes: float = 0

    @property
    def rows(self) -> int:
        """How many rows, a multiple of `size`."""
        most = min(READ_ROWS, int(READ_BYTES / self.row_bytes)) if self.row_bytes else self.size
        return max(most // self.size, 1) * self.size

    def learn(self, table: pa.Table) -> None:
        """From rows that were read."""
        if table.num_rows:
            self.row_bytes = table.nbytes / table.num_rows


@dataclass(frozen=True)
class Rows:
    """Rows that were read together, in (cursor, key) order.

    table: canonical and `extra.` columns, shape (n, columns). cursors: exact text, shape (n,). keys: texts of each key column,
    each of shape (n,).
    """

    table: pa.Table
    cursors: pa.Array
    keys: tuple[pa.Array, ...]

    def __len__(self) -> int:
        return len(self.cursors)

    @property
    def frame(self) -> pd.DataFrame:
        """The table as a frame with Arrow-backed dtypes, over the same memory."""
        return to_frame(self.table)

    def joined_keys(self) -> pa.Array:
        """One text a row, shape (n,)."""
        return joined(self.keys)

    def mark(self, row: int) -> Mark:
        """The place of a row."""
        return Mark(self.cursors[row].as_py(), tuple(key[row].as_py() for key in self.keys))

    def slice(self, start: int, stop: int) -> Rows:
        """Rows start to stop, without copying."""
        return Rows(
            self.table.slice(start, stop - start),
            self.cursors[start:stop],
            tuple(key[start:stop] for key in self.keys),
        )


@dataclass(frozen=True)
class Survey:
    """What waits behind a mark.

    now: the database's clock. before: cursor text that bounds this run. waiting: rows between mark and bound. oldest:
    cursor text of the first of them. null_cursors, null_keys: rows that can never be read in order. future: rows dated
    after now.
    """

    now: dt.datetime
    before: str | None
    waiting: int
    oldest: str | None
    null_cursors: int
    null_keys: int
    future: int

    def overlooked(self, source: Source) -> dict[str, str]:
        """Why nothing may be sent: rows that would never be read, or be mistaken for others. Key of `source` to look at -> a sentence."""
        found = {}
        if self.null_keys:
            found["key"] = (
                f"{rows_that(self.null_keys, 'has', 'have')} no {' or '.join(source.keys)}; a row without a key cannot be told from others, so nothing is sent. Leave them out in the query or give them a key"
            )
        if self.null_cursors and source.null_cursor == "fail":
            found["cursor"] = (
                f"{rows_that(self.null_cursors, 'has', 'have')} no {source.cursor} and would never be read, so nothing is sent. Use coalesce({source.cursor}, created_at) in the query,"
                " or accept that with source.null_cursor: count"
            )
        return found


class SourceReader:
    """A destination's source. Opens its connections lazily; `close` gives them back."""

    def __init__(self, destination: Destination, columns: Sequence[str]) -> None:
        """columns: canonical columns that the destination can use."""
        self._destination = destination
        self._source = destination.model.source
        self._wanted = columns
        self._engine: Engine | None = None
        self._fast: readers.Fast | None = None
        self._described: Description | None = None

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, read-only wherever the database can be told so."""
        if self._engine is None:
            self._engine = _engine(self._destination)
            self._fast = readers.fast(self._engine)
        return self._engine

    def close(self) -> None:
        """Give connections back; a DuckDB file can then be written by others."""
        if self._fast is not None:
            self._fast.close()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def try_query(self) -> None:
        """See that the query can be run, and has the columns that are needed. Raises ConfigError or WarehouseError where not."""
        lacking = self.lacking()
        if lacking:
            raise ConfigError(
                f"{self._destination.name}: {self.lacks(lacking)}", at=("source", "query")
            )

    def lacks(self, names: Sequence[str]) -> str:
        """A sentence on canonical columns that the query does not have."""
        return f"the query {self._source.query} has no column {', '.join(names)}, without which every row would be rejected"

    def query_columns(self) -> list[str]:
        """Names of the query's columns, whether or not they are the ones that are needed."""
        query = self._destination.query()
        with self._transaction() as connection:
            return list(query_columns(connection, query, self._destination))

    def lacking(self) -> list[str]:
        """Canonical columns that the query does not have, and without which every row would be rejected."""
        columns, names = self._destination.model.columns, self._description().names
        return [
            name
            for name in required_columns(self._destination)
            if columns.get(name, name) not in names
        ]

    @property
    def cursor(self) -> Cursor | None:
        """The cursor column; None while the query has no row to tell its type by."""
        return self._description().cursor

    def types(self) -> dict[str, str]:
        """Cursor and key columns -> their types in words, as far as they are known yet."""
        described = self._description()
        kinds = (
            dict(zip(self._source.keys, (kind.kind for kind in described.key_types), strict=True))
            if described.cursor is not None
            else {}
        )
        if described.cursor is not None:
            kinds[self._source.cursor] = described.cursor.type.kind
        words = {
            "iso_text": "text",
            "zoned": "a time with a zone",
            "naive": "a time without a zone",
        }
        found: dict[str, str] = {name: words.get(kind, kind) for name, kind in kinds.items()}
        if described.cursor is not None and described.cursor.form is not None:
            found[self._source.cursor] = (
                f"text such as {described.cursor.form.text(dt.datetime(2026, 1, 2, 3, 4, 5, 600_000))}"
            )
        return found

    def survey(self, after: Mark | None) -> Survey:
        """Clock, bound and counts, all in one transaction."""
        described = self._description()
        with self._transaction() as connection:
            now = _clock(connection)
            cursor = described.cursor
            if cursor is None:
                return Survey(now, None, 0, None, self._count_all(connection), 0, 0)
            before = self._bound(connection, cursor, now)
            column, keys, types = described.order()
            waiting = where(Range(after, None, before), column, keys, types)
            unreadable = (
                column.is_(None)
                if types[0].least is None
                else sa.or_(column.is_(None), column < types[0].bind(types[0].least))
            )
            future = column > types[0].bind(cursor.text_of(now)) if cursor.is_time else sa.false()
            counts = [waiting, unreadable, sa.or_(*(key.is_(None) for key in keys)), future]
            oldest = sa.func.min(sa.case((waiting, column))) if cursor.is_time else sa.null()
            statement = sa.select(
                *(sa.func.sum(sa.case((condition, 1), else_=0)) for condition in counts), oldest
            )
            numbers = connection.execute(statement.select_from(described.table)).one()
        rows, null_cursors, null_keys, ahead = (int(number or 0) for number in numbers[:4])
        return Survey(now, before, rows, _exact_text(numbers[4]), null_cursors, null_keys, ahead)

    def now(self) -> dt.datetime:
        """The database's clock."""
        with self._transaction() as connection:
            return _clock(connection)

    def latest(self) -> str | None:
        """The greatest cursor value, as text."""
        described = self._description()
        column = described.order()[0]
        statement = (
            sa.select(described.ordering()[0])
            .select_from(described.table)
            .where(column.is_not(None))
            .order_by(column.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            return _exact_text(connection.execute(statement).scalar())

    def read(self, rows: Range, size: int) -> Iterator[Rows]:
        """All rows of a range, `size` at a time. Raises ConfigError where two rows share a key."""
        return self._pages(rows, size, self._description().selected())

    def read_keys(self, rows: Range, size: int) -> Iterator[Rows]:
        """As `read`, cursor and key alone: frames have no columns."""
        return self._pages(rows, size, self._description().ordering())

    def _pages(
        self, rows: Range, size: int, columns: Sequence[ColumnElement[Any]]
    ) -> Generator[Rows, None, None]:
        """Many pages come with one statement, because the database may have to sort for each."""
        portion = _Portion(size)
        in_parts = self.engine.dialect.name in ("duckdb", "sqlite")
        with closing(
            (self._read_in_parts if in_parts else self._read_first_ones)(rows, columns, portion)
        ) as reads:
            for read, many in reads:
                for start in range(0, many, size):
                    stop = min(start + size, many)
                    if stop < len(read) and read.mark(stop) == read.mark(stop - 1):
                        raise ConfigError(self._duplicate(read, stop - 1))
                    yield read.slice(start, stop)

    def _read_first_ones(
        self, rows: Range, columns: Sequence[ColumnElement[Any]], portion: _Portion
    ) -> Generator[tuple[Rows, int], None, None]:
        """What each statement reads, and how many rows of it are new: the row after them comes again."""
        more = True
        while more:
            most = portion.rows
            with self._transaction() as connection:
                read = self._fetch(connection, self._select(rows, columns).limit(most + 1), portion)
            yield read, min(len(read), most)
            more = len(read) > most
            if more:
                rows = Range(read.mark(most - 1), rows.upto, rows.before)

    def _read_in_parts(
        self, rows: Range, columns: Sequence[ColumnElement[Any]], portion: _Portion
    ) -> Generator[tuple[Rows, int], None, None]:
        """As `_read_first_ones`. DuckDB and SQLite sort whole rows for a LIMIT, so cursor and key alone find where a part ends; all its rows are new."""

        def read(part: Range) -> Rows:
            with self._transaction() as connection:
                return self._fetch(connection, self._select(part, columns), portion)

        with closing(made_at_once(read, self._parts(rows, portion), self._threads)) as reads:
            for found in reads:
                yield found, len(found)

    def _parts(self, rows: Range, portion: _Portion) -> Iterator[Range]:
        """A range cut where portions end; a row that is committed meanwhile belongs to the part in which its place is."""
        while True:
            with self._transaction() as connection:
                end = self._nth(connection, rows, portion.rows)
            if end is None:
                yield rows
                return
            yield Range(rows.after, end, rows.before)
            rows = Range(end, rows.upto, rows.before)

    def _fetch(self, connection: Connection, statement: sa.Select[Any], portion: _Portion) -> Rows:
        pa.default_memory_pool().release_unused()
        table = readers.fetch(connection, statement, self._description().name_map(), self._fast)
        portion.learn(table)
        return self._rows(table)

    @property
    def _threads(self) -> int:
        """How many ask at once. SQLite joins columns without Python's lock; DuckDB has threads of its own, and a database in memory is there for one connection."""
        return (
            THREADS
            if self.engine.dialect.name == "sqlite" and isinstance(self.engine.pool, sa.QueuePool)
            else 0
        )

    def read_by_key(self, keys: Sequence[tuple[str, ...]]) -> Rows:
        """The rows with these keys, in (cursor, key) order; keys that are gone are simply not there."""
        described = self._description()
        with self._transaction() as connection:
            statement = self._select(Range(), described.selected()).where(self._have(keys))
            return self._rows(readers.fetch(connection, statement, described.name_map()))

    def boundaries(self, rows: Range, size: int, most: int | None = None) -> list[Mark]:
        """Marks that cut a range into slices of `size` rows; the last slice ends with the range. most: how many of them."""
        if self.engine.dialect.name != "duckdb":
            with self._transaction() as connection:
                return self._numbered(connection, rows, size, most)
        # It would number all rows in this process's memory, and sorts even the cursors and keys of five million in 200 MB, where it may.
        try:
            with self._transaction() as connection, readers.in_little_memory(connection):
                return self._stepped(connection, rows, size, most)
        except WarehouseError:
            with self._transaction() as connection:
                return self._stepped(connection, rows, size, most)

    def _numbered(
        self, connection: Connection, rows: Range, size: int, most: int | None
    ) -> list[Mark]:
        described = self._description()
        column, keys, types = described.order()
        number = sa.func.row_number().over(order_by=[column, *keys]).label("row_number_")
        inner = (
            sa.select(*described.ordering(), number)
            .select_from(described.table)
            .where(where(rows, column, keys, types))
            .subquery("n")
        )
        labels = [inner.c[element.name] for element in described.ordering()]
        statement = (
            sa.select(*labels)
            .where(inner.c.row_number_ % size == 0)
            .order_by(inner.c.row_number_)
            .limit(most)
        )
        found = self._rows(readers.fetch(connection, statement, described.name_map()))
        return [found.mark(row) for row in range(len(found))]

    def _stepped(
        self, connection: Connection, rows: Range, size: int, most: int | None
    ) -> list[Mark]:
        marks: list[Mark] = []
        while most is None or len(marks) < most:
            found = self._nth(connection, rows, size)
            if found is None:
                break
            marks.append(found)
            rows = Range(found, rows.upto, rows.before)
        return marks

    def _nth(self, connection: Connection, rows: Range, number: int) -> Mark | None:
        """The place of a range's row, counted from 1; None where there are fewer."""
        statement = self._select(rows, self._description().ordering()).limit(1).offset(number - 1)
        found = self._rows(readers.fetch(connection, statement, {}))
        return found.mark(0) if len(found) else None

    def duplicate_keys(
        self, most: int = 5, among: Sequence[tuple[str, ...]] | None = None
    ) -> list[tuple[str, ...]]:
        """Keys that more than one row has, a few of them. among: of these keys; default: of all."""
        described = self._description()
        _, keys, _ = described.order()
        there = sa.and_(*(key.is_not(None) for key in keys)) if among is None else self._have(among)
        statement = (
            sa.select(*keys)
            .select_from(described.table)
            .where(there)
            .group_by(*keys)
            .having(sa.func.count() > 1)
            .limit(most)
        )
        with self._transaction() as connection:
            return [tuple(str(part) for part in row) for row in connection.execute(statement)]

    def _have(self, keys: Sequence[tuple[str, ...]]) -> ColumnElement[bool]:
        """Rows that have one of these keys."""
        _, columns, types = self._description().order()
        parts = [sa.column(f"k{index}", kind.bound) for index, kind in enumerate(types[1:])]
        values = [
            tuple(kind.value(part) for kind, part in zip(types[1:], key, strict=True))
            for key in dict.fromkeys(keys)
        ]
        wanted = sa.values(*parts, name="wanted").data(values).cte("wanted")
        same = (
            column == kind.cast(wanted.c[part.name])
            for column, kind, part in zip(columns, types[1:], parts, strict=True)
        )
        return sa.exists().where(*same)

    def _rows(self, table: pa.Table) -> Rows:
        keys = tuple(text_array(table[f"_key{index}"]) for index in range(len(self._source.keys)))
        cursors = text_array(table["_cursor"])
        canonical = [name for name in table.column_names if not name.startswith("_")]
        return Rows(table.select(canonical), cursors, keys)

    def _duplicate(self, page: Rows, row: int) -> str:
        key = ", ".join(part for part in page.mark(row).key or ())
        shown = "one of them" if "@" in key or self._destination.personal_key else f"'{key}'"
        return f"{self._destination.name}: two rows of the query share the key {shown}; a key must identify one conversion, so make the query distinct or add a column to source.key"

    def _bound(self, connection: Connection, cursor: Cursor, now: dt.datetime) -> str | None:
        if cursor.type.kind == "xid8":
            return str(
                connection.execute(
                    sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
                ).scalar()
            )
        return cursor.text_of(earlier(now, self._source.lag)) if cursor.is_time else None

    def _count_all(self, connection: Connection) -> int:
        return int(
            connection.execute(
                sa.select(sa.func.count()).select_from(self._description().table)
            ).scalar()
            or 0
        )

    def _select(self, rows: Range, columns: Sequence[ColumnElement[Any]]) -> sa.Select[Any]:
        described = self._description()
        column, keys, types = described.order()
        return (
            sa.select(*columns)
            .select_from(described.table)
            .where(where(rows, column, keys, types))
            .order_by(column, *keys)
        )

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One read-only transaction in UTC; errors of the driver are told by their class, because their text quotes rows."""
        try:
            with self.engine.connect() as connection:
                readers.begin(connection)
                yield connection
                connection.rollback()
                readers.end(connection)
        except SQLAlchemyError as error:
            raise told(self._destination, error) from None
        except readers.DriverError as error:
            raise WarehouseError(
                f"{self._destination.name}: the warehouse refused the query ({error})"
            ) from None

    def _description(self) -> Description:
        if self._described is None:
            query = self._destination.query()
            with self._transaction() as connection:
                self._described = describe(connection, query, self._destination, self._wanted)
        return self._described


def _exact_text(value: Any) -> str | None:
    """One cursor value as exact text."""
    return None if value is None else text_array(readers.array_of([value]))[0].as_py()


def _clock(connection: Connection) -> dt.datetime:
    """The database's own clock, in this transaction."""
    if connection.dialect.name == "sqlite":
        text = str(
            connection.execute(sa.text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")).scalar()
        )
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    if connection.dialect.name == "postgresql":
        return _clock_of_postgresql(connection)
    value = connection.execute(sa.select(sa.func.current_timestamp())).scalar()
    if not isinstance(value, dt.datetime):
        value = dt.datetime.fromisoformat(str(value))
    return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


def _clock_of_postgresql(connection: Connection) -> dt.datetime:
    """On a standby, the moment up to which it has replayed: what was committed after that is not there yet."""
    statement = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() ELSE CURRENT_TIMESTAMP END"
    value: dt.datetime | None = connection.execute(sa.text(statement)).scalar()
    if value is None:
        raise WarehouseError(
            "the warehouse is a standby that has replayed no transaction since it started, so how far it is cannot be told; try later"
        )
    return value.astimezone(dt.UTC)


def warehouse_url(destination: Destination) -> URL:
    """The configured URL, with relative files under the project's root. Raises ConfigError without showing it."""
    reference = destination.model.source.warehouse
    try:
        address = resolve(reference, destination.root) if is_reference(reference) else reference
    except ValueError as error:
        raise ConfigError(
            f"{destination.name}: source.warehouse: {error}", at=("source", "warehouse")
        ) from None
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{destination.name}: source.warehouse is not a SQLAlchemy URL such as postgresql://host/database; write special characters of a password as %40 for @, %3A for :, %2F for /",
            at=("source", "warehouse"),
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    embedded = url.get_backend_name() in ("duckdb", "sqlite")
    if (
        embedded
        and url.database
        and url.database != ":memory:"
        and not url.database.startswith("file:")
    ):
        url = url.set(database=str(destination.root / url.database))
    return url


def _engine(destination: Destination) -> Engine:
    url = warehouse_url(destination)
    backend = url.get_backend_name()
    if (
        backend in ("duckdb", "sqlite")
        and url.database
        and not url.database.startswith(("file:", ":memory:"))
        and not Path(url.database).is_file()
    ):
        raise WarehouseError(
            f"{destination.name}: there is no {backend} file at the address in source.warehouse; create it, or correct the path (relative paths start at {destination.root})",
            at=("source", "warehouse"),
        )
    try:
        return readers.engine(url)
    except (NoSuchModuleError, ImportError) as error:
        lacking = missing_driver(
            backend, url.drivername, error if isinstance(error, ImportError) else None
        )
        raise ConfigError(
            f"{destination.name}: source.warehouse: {lacking}", at=("source", "warehouse")
        ) from None
