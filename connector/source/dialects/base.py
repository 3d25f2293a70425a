"""What the connector asks of a kind of database.

A dialect overrides what its database does in a way of its own; the defaults are what any database
does through SQLAlchemy.
"""

from __future__ import annotations

import datetime as dt
import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.sql.elements import ColumnElement

from connector.arrow.convert import array_of_values
from connector.config.engines import create_engine
from connector.source.column_types import ColumnType, IsoForm

Result = TypeVar("Result")

_NO_FILES = ("file:", ":memory:")


class Cause(enum.Enum):
    """Why a database cannot be read, where its error tells; `errors` has a sentence for each."""

    UNREACHABLE = "unreachable"
    LOCKED = "locked"
    NOT_A_DATABASE = "not a database"


class DriverError(Exception):
    """An error of a driver that SQLAlchemy has not wrapped; without its text, which may quote rows.

    Attributes:
        orig: the driver's own exception.
    """

    def __init__(self, orig: Exception) -> None:
        super().__init__(type(orig).__name__)
        self.orig = orig


class Reader(Protocol):
    """Runs statements for rows and gives the result as Arrow columns, every value exact."""

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table:
        """The rows of a statement, in its order. Raises SQLAlchemyError or DriverError."""

    def close(self) -> None:
        """Give back what it holds, such as a connection of its own."""


class RowReader:
    """Reads any database: the driver's Python values, turned into Arrow column by column."""

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table:
        """The rows of a statement."""
        result = connection.execute(statement)
        names = list(result.keys())
        driver: Any = connection.dialect.loaded_dbapi
        try:
            rows = result.cursor.fetchall() if result.cursor is not None else []
        except driver.Error as error:
            raise DriverError(error) from None
        result.close()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.table(
            [array_of_values(column) if rows else pa.nulls(0) for column in columns], names=names
        )

    def close(self) -> None:
        """Nothing is open."""


class Wanted(NamedTuple):
    """A column to select.

    Attributes:
        column: of the query.
        kind: of the canonical column, as `platforms.columns` has it; '' for any other column.
        described: what the driver says of it (PEP 249, `Cursor.description`).
    """

    column: ColumnElement[Any]
    kind: str
    described: Sequence[Any]


class BulkRows(NamedTuple):
    """Rows for a table of the warehouse.

    Attributes:
        table: its name, behind its schema and a dot where it has one.
        schema: its columns.
        batches: the rows.
        replaces: column -> value; rows that have all of them make way for the new ones.
    """

    table: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    replaces: dict[str, str | int]


def quoted(connection: Connection, table: str) -> str:
    """A table's name for SQL, behind its schema where it has one."""
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(map(quote, table.split(".")))


class Dialect(ABC):
    """One kind of database.

    Attributes:
        title: name of the database, in messages.
        embedded: whether a URL names a file, which opens read-only where it is there.
        backslash_escapes: whether a backslash hides the next character inside quotes.
        collation: the collation under which only equal texts are equal; None where unknown.
        spills: whether it may write rows to disk while it sorts, inside this process.
        limit_sorts_rows: whether ORDER BY with LIMIT sorts whole rows. Then a read finds its end by
            cursor and key alone, and reads the range up to there without a LIMIT.
        loads: whether rows can be written in bulk, see `load`.
    """

    title: str
    embedded = False
    backslash_escapes = True
    collation: str | None = None
    spills = False
    limit_sorts_rows = False
    loads = False

    # Opening

    def address(self, url: URL, root: Path) -> URL:
        """Complete the configured URL.

        Args:
            url: As the YAML has it.
            root: Where relative paths of files start.
        """
        file = self.file(url)
        return url if file is None else url.set(database=str(root / file))

    def file(self, url: URL) -> Path | None:
        """The file that a URL names; None for servers, databases in memory, and SQLite's URIs."""
        named = self.embedded and url.database and not url.database.startswith(_NO_FILES)
        return Path(str(url.database)) if named else None

    def create_engine(self, url: URL) -> Engine:
        """A read-only engine, as far as the database offers that."""
        return create_engine(url)

    def spill_into(self, engine: Engine, folder: Path | None) -> None:  # noqa: B027
        """Where a database inside this process may write what does not fit into memory.

        Args:
            engine: Before its first connection.
            folder: Closed to others; None where there is none, so that nothing may be written.
        """

    def begin(self, connection: Connection) -> None:  # noqa: B027  most need none
        """Settings at the start of each transaction: times come in UTC, nothing is written."""

    def end(self, connection: Connection) -> None:  # noqa: B027  most need none
        """After each transaction."""

    # Clock and types

    def clock(self, connection: Connection) -> dt.datetime:
        """The database's own clock, in this transaction, in UTC."""
        value = connection.execute(sa.select(sa.func.current_timestamp())).scalar()
        if not isinstance(value, dt.datetime):
            value = dt.datetime.fromisoformat(str(value))
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)

    def column_names(self, connection: Connection, query: str, found: Sequence[str]) -> list[str]:
        """The names that a query gives its columns.

        Args:
            connection: to the database.
            query: the user's own.
            found: the names when it stands in a subquery, where some databases rename duplicates.
        """
        return list(found)

    @abstractmethod
    def column_type(
        self, connection: Connection, column: ColumnElement[Any], described: Sequence[Any]
    ) -> ColumnType | None:
        """The type of a cursor or key column; None while there is no row to tell it by.

        Args:
            connection: to the database.
            column: the column, of a subquery.
            described: what the driver says of it (PEP 249, `Cursor.description`).

        Raises:
            UnorderedType: where rows cannot be ordered by it exactly.
        """

    def irregular(
        self, column: ColumnElement[Any], kind: ColumnType, form: IsoForm | None
    ) -> ColumnElement[bool] | None:
        """A predicate for values of a cursor or key column that are not of its type or form.

        None where the database keeps all values of a column alike.
        """
        return None

    def selections(
        self, connection: Connection, wanted: Sequence[Wanted]
    ) -> list[ColumnElement[Any]]:
        """Expressions that give each column exactly, whatever its type is.

        What Arrow or the driver has no exact value for is selected as text.
        """
        return [each.column for each in wanted]

    def ordering_selections(
        self,
        connection: Connection,
        columns: Sequence[ColumnElement[Any]],
        types: Sequence[ColumnType],
    ) -> Sequence[ColumnElement[Any]]:
        """Expressions that give cursor and key columns exactly.

        Args:
            connection: To the warehouse.
            columns: The cursor column and the key columns.
            types: Their types.
        """
        return columns

    # Reading

    def reader(self, engine: Engine) -> Reader:
        """The fastest reader of the database that an engine opens."""
        return RowReader()

    def in_little_memory(self, connection: Connection, fetch: Callable[[], Result]) -> Result:
        """Call `fetch`, which sorts much, so that a database inside this process takes little."""
        return fetch()

    # Writing

    def writable_engine(self, url: URL) -> Engine:
        """An engine that may write, where the database's user may."""
        return self.create_engine(url)

    def load(self, url: URL, rows: BulkRows) -> None:
        """Write rows into a table, which is created where it is missing, in one transaction.

        Args:
            url: Of the database.
            rows: What to write.

        Raises:
            SQLAlchemyError, DriverError: Nothing of it was written.
        """
        raise NotImplementedError(f"{self.title}: loads is False")

    # Errors

    def cause(self, error: Exception) -> Cause | None:
        """What the driver's error means; None where it is about the query."""
        answered = sqlstate(error) and not sqlstate(error).startswith(("08", "28", "3D", "57P"))
        unreachable = type(error).__name__.startswith(("OperationalError", "ConnectionTimeout"))
        return Cause.UNREACHABLE if unreachable and not answered else None


class UnorderedType(Exception):
    """A column has a type by which rows cannot be ordered exactly."""


def sqlstate(error: Exception) -> str:
    """The SQLSTATE of a driver's error; '' where it has none."""
    return str(getattr(error, "sqlstate", None) or "")
