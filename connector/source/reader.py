"""Reads a destination's query in (cursor, key) order, in pages of rows that can be found again.

The user's SQL runs as a subquery from which only mapped columns are selected, so a column that no
destination needs never leaves the database. There is no templating: every value is a bound
parameter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.config.destination import Destination
from connector.config.personal_keys import is_personal
from connector.errors import ConfigError
from connector.model import Mark, Range
from connector.source import safety_lag, slicing, survey, time_unit
from connector.source.duplicate_keys import duplicate_keys
from connector.source.introspect import Description, describe, query_columns
from connector.source.mapped_columns import required_columns
from connector.source.rows import Rows
from connector.source.slicing import ordered
from connector.source.survey import Survey
from connector.source.warehouse import Warehouse
from connector.source.watermark import Cursor, has_key
from connector.syntax.spelling import rows_that

READ_ROWS = 100_000
READ_BYTES = 16 * 1024**2
"""What one statement reads, whichever is less; pages are cut from it."""


@dataclass
class _ReadSize:
    """How many rows one statement reads: whole pages, up to READ_ROWS and READ_BYTES.

    One page until it is known how long rows are.
    """

    page: int
    row_bytes: float = 0

    @property
    def pages(self) -> int:
        """Pages of one statement."""
        most = min(READ_ROWS, int(READ_BYTES / self.row_bytes)) if self.row_bytes else self.page
        return max(most // self.page, 1)

    def learn(self, table: pa.Table) -> None:
        """From rows that were read."""
        if table.num_rows:
            self.row_bytes = table.nbytes / table.num_rows


class SourceReader:
    """A destination's source. Opens its connections when they are needed; `close` gives them back.

    Every method may raise ConfigError, where the query or its columns must be mended, and
    WarehouseError, where the database cannot be read.
    """

    def __init__(self, destination: Destination, columns: Sequence[str]) -> None:
        """A reader of a destination's query.

        Args:
            destination: whose query.
            columns: canonical columns that the destination can use.
        """
        self.warehouse = Warehouse(destination)
        self._destination = destination
        self._source = destination.model.source
        self._columns = columns
        self._described: Description | None = None

    def close(self) -> None:
        """Give connections back; others can then write to a DuckDB file."""
        self.warehouse.close()

    # The query and its columns

    def check_query(self) -> None:
        """See that the query can be run and has the columns that are needed. Raises otherwise."""
        missing = self.missing_columns()
        if missing:
            raise ConfigError(
                f"{self._destination.name}: {self.missing_columns_message(missing)}",
                at=("source", "query"),
            )

    def missing_columns_message(self, names: Sequence[str]) -> str:
        """A sentence on canonical columns that the query does not have."""
        return (
            f"the query {self._source.query} has no column {', '.join(names)}, without which every"
            " row would be rejected"
        )

    def query_columns(self) -> list[str]:
        """Names of the query's columns, whether or not they are the ones that are needed."""
        with self.warehouse.transaction() as connection:
            return query_columns(connection, self.warehouse.dialect, self._destination)

    def missing_columns(self) -> list[str]:
        """Canonical columns without which every row is rejected, and which the query lacks."""
        columns, names = self._destination.model.columns, self._query().names
        return [
            name
            for name in required_columns(self._destination)
            if columns.get(name, name) not in names
        ]

    @property
    def cursor(self) -> Cursor | None:
        """The cursor column; None while the query has no row to tell its type by."""
        return self._query().cursor

    def types(self) -> dict[str, str]:
        """Cursor and key columns -> their types in words, as far as they are known yet."""
        return self._query().types_in_words()

    # What waits

    def survey(self, after: Mark | None, *, everything: bool = False) -> Survey:
        """Clock, bound and counts of what waits behind a watermark, all in one transaction.

        Args:
            after: the watermark; None counts from the first row.
            everything: look behind the watermark too, which reads all rows of most databases.
        """
        query = self._query()
        with self.warehouse.transaction() as connection:
            return survey.survey(connection, query, self._source.lag, after, everything=everything)

    def wrong_time_unit(self, found: Survey) -> str | None:
        """A sentence where `source.time_unit` cannot be meant, by what a survey found."""
        cursor = self.cursor
        if cursor is None or not time_unit.is_suspicious(cursor, found):
            return None
        latest = self.latest_cursor()
        return (
            None
            if latest is None
            else time_unit.wrong_unit(self._source.cursor, cursor, latest, found.now)
        )

    def upper_bound(self) -> str | None:
        """Cursor text that rows of a run stay below now; None where nothing bounds the cursor."""
        query = self._query()
        if query.cursor is None:
            return None
        with self.warehouse.transaction() as connection:
            now = survey.read_clock(connection, query.dialect)
            return safety_lag.upper_bound(connection, query.cursor, now, self._source.lag)

    def now(self) -> dt.datetime:
        """The database's clock."""
        with self.warehouse.transaction() as connection:
            return survey.read_clock(connection, self.warehouse.dialect)

    def latest_cursor(self) -> str | None:
        """The greatest cursor value, as text."""
        query = self._query()
        with self.warehouse.transaction() as connection:
            return survey.latest_cursor(connection, query)

    def slice_ends(self, rows: Range, size: int, most: int | None = None) -> list[Mark]:
        """Places that cut a range into slices of `size` rows, `most` of them at most."""
        return slicing.ends_of_slices(self.warehouse, self._query(), rows, size, most)

    def duplicate_keys(
        self, most: int = 5, among: Sequence[tuple[str, ...]] | None = None
    ) -> list[tuple[str, ...]]:
        """A few keys that more than one row has.

        Args:
            most: How many keys.
            among: The only keys to look for; None for all.
        """
        query = self._query()
        with self.warehouse.transaction() as connection:
            return duplicate_keys(connection, query, most, among)

    # Rows

    def read(self, rows: Range, size: int) -> Iterator[Rows]:
        """All rows of a range, in pages of `size` rows.

        Raises:
            ConfigError: where two rows share a key.
        """
        return self._pages(rows, size, self._query().selected())

    def ranges_of(self, after: Mark | None, upto: Mark) -> list[Range]:
        """Where rows of a page are looked for, the likeliest range first.

        Args:
            after: The place behind which they were.
            upto: The place of the last one. Rows that were touched since lie ahead of it. Where it
                is no value of the cursor, as of rows that a program gave, they may be anywhere.
        """
        cursor = self.cursor
        if cursor is not None and not cursor.type.fits(upto.cursor):
            return [Range()]
        return [Range(after, upto), Range(upto)]

    def read_keys(self, rows: Range, size: int) -> Iterator[Rows]:
        """As `read`, cursor and key alone: the tables have no columns."""
        return self._pages(rows, size, self._query().ordering())

    def read_by_key(self, keys: Sequence[tuple[str, ...]]) -> Rows:
        """The rows with these keys, in (cursor, key) order, as far as they are still there."""
        query = self._query()
        _, columns, types = query.order()
        wanted = ordered(query, Range(), query.selected()).where(has_key(keys, columns, types[1:]))
        with self.warehouse.transaction() as connection:
            return self._rows(self.warehouse.fetch(connection, wanted, query.name_map()))

    def _pages(self, rows: Range, size: int, columns: list[ColumnElement[Any]]) -> Iterator[Rows]:
        """One statement reads many pages, because the database may have to sort for each."""
        read_size = _ReadSize(size)
        by_range = self.warehouse.dialect.limit_sorts_rows
        for read, new in (self._by_range if by_range else self._by_limit)(rows, columns, read_size):
            for start in range(0, new, size):
                stop = min(start + size, new)
                if stop < len(read) and read.mark(stop) == read.mark(stop - 1):
                    raise ConfigError(self._shared_key(read, stop - 1))
                yield read.slice(start, stop)

    def _by_limit(
        self, rows: Range, columns: list[ColumnElement[Any]], read_size: _ReadSize
    ) -> Iterator[tuple[Rows, int]]:
        """What each statement reads, and how many rows of it are new.

        Each reads one row more, which shows whether there is another page, and comes again in it.
        """
        more = True
        while more:
            most = read_size.pages * read_size.page
            statement = ordered(self._query(), rows, columns).limit(most + 1)
            with self.warehouse.transaction() as connection:
                read = self._fetch(connection, statement, read_size)
            yield read, min(len(read), most)
            more = len(read) > most
            if more:
                rows = Range(read.mark(most - 1), rows.upto, rows.before)

    def _by_range(
        self, rows: Range, columns: list[ColumnElement[Any]], read_size: _ReadSize
    ) -> Iterator[tuple[Rows, int]]:
        """As `_by_limit`, by ranges whose ends are found first; all rows of each are new."""
        for cut in self._ranges(rows, read_size):
            statement = ordered(self._query(), cut, columns)
            with self.warehouse.transaction() as connection:
                read = self._fetch(connection, statement, read_size)
            yield read, len(read)

    def _ranges(self, rows: Range, read_size: _ReadSize) -> Iterator[Range]:
        """A range cut where statements end: after the first page, then after as many as fit.

        A row that is committed meanwhile belongs to the range in which its place is.
        """
        first = slicing.end_of_first(self.warehouse, self._query(), rows, read_size.page)
        if first is None:
            yield rows
            return
        yield Range(rows.after, first, rows.before)
        rest = Range(first, rows.upto, rows.before)
        ends = slicing.ends_of_slices(self.warehouse, self._query(), rest, read_size.page)
        while len(ends) >= read_size.pages:
            end = ends[read_size.pages - 1]
            ends = ends[read_size.pages :]
            yield Range(rest.after, end, rest.before)
            rest = Range(end, rest.upto, rest.before)
        yield rest

    def _fetch(self, connection: Connection, statement: Any, read_size: _ReadSize) -> Rows:
        pa.default_memory_pool().release_unused()
        table = self.warehouse.fetch(connection, statement, self._query().name_map())
        read_size.learn(table)
        return self._rows(table)

    def _rows(self, table: pa.Table) -> Rows:
        """Rows with a key each. Raises ConfigError for a row without a usable key."""
        rows = Rows.of(table)
        for index, (name, values) in enumerate(zip(self._source.keys, rows.keys, strict=True)):
            lacking = table[f"_key{index}"].null_count
            unreadable = values.null_count - lacking
            if lacking or unreadable:
                why = (
                    f"{rows_that(lacking, 'has', 'have')} no {name}"
                    if lacking
                    else f"{rows_that(unreadable, 'has', 'have')} a {name} that is not valid UTF-8"
                )
                raise ConfigError(
                    f"{self._destination.name}: {why}, so what lies there cannot be told from other"
                    " rows and nothing of it is sent. Leave such rows out in the query, or give"
                    " them another key",
                    at=("source", "key"),
                )
        return rows

    def _shared_key(self, page: Rows, row: int) -> str:
        key = page.mark(row).key or ()
        shown = "one of them" if is_personal(self._destination, key) else repr(", ".join(key))
        return (
            f"{self._destination.name}: two rows of the query share the key {shown}; a key must"
            " identify one conversion, so make the query distinct or add a column to source.key"
        )

    def _query(self) -> Description:
        if self._described is None:
            with self.warehouse.transaction() as connection:
                self._described = describe(
                    connection, self.warehouse.dialect, self._destination, self._columns
                )
        return self._described
