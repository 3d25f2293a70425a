"""The warehouse of a destination: its address, its engine, and read-only transactions on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connector.arrow import pandas_import
from connector.config.destination import Destination
from connector.config.extras import missing_driver
from connector.config.home import home
from connector.config.secrets import is_reference, resolve
from connector.errors import ConfigError, WarehouseError
from connector.source import spill
from connector.source.dialects import dialect_of
from connector.source.dialects.base import BulkRows, Cause, Dialect, DriverError, Reader
from connector.source.errors import warehouse_error

_AT = ("source", "warehouse")


class Warehouse:
    """A destination's database. It is opened when it is first asked, and again after `close`."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._engine: Engine | None = None
        self._reader: Reader | None = None
        self._spill: Path | None = None

    @cached_property
    def url(self) -> URL:
        """The configured URL, complete. Raises ConfigError without showing it."""
        url = _configured_url(self._destination)
        return dialect_of(url.get_backend_name()).address(url, self._destination.root)

    @cached_property
    def dialect(self) -> Dialect:
        """What is special about databases of this kind."""
        return dialect_of(self.url.get_backend_name())

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, read-only wherever the database offers that."""
        if self._engine is None:
            self._engine = self._create_engine()
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One read-only transaction in UTC.

        Raises:
            ConfigError: where the address or the driver is wrong.
            WarehouseError: for every error of the driver, whose own text may quote rows.
        """
        try:
            with self.engine.connect() as connection:
                self.dialect.begin(connection)
                yield connection
                connection.rollback()
                self.dialect.end(connection)
        except (SQLAlchemyError, DriverError) as error:
            raise warehouse_error(self._destination, self.dialect, error) from None

    def fetch(
        self, connection: Connection, statement: sa.Select[Any], names: Mapping[str, str]
    ) -> pa.Table:
        """Read the rows of a statement.

        Args:
            connection: Of this warehouse.
            statement: Has a label for each column.
            names: Label in SQL -> column name, where they differ.
        """
        if self._reader is None:
            self._reader = self.dialect.reader(self.engine)
        table = self._reader.fetch(connection, statement)
        pandas_import.require_for(table.schema)
        return table.rename_columns([names.get(name, name) for name in table.column_names])

    def load(self, rows: BulkRows) -> None:
        """Write rows into a table in bulk; nothing may be read meanwhile.

        Raises:
            ConfigError: the address or the driver is wrong, or this database cannot do it.
            WarehouseError: it was not written.
        """
        if not self.dialect.loads:
            raise ConfigError(
                f"{self._destination.name}: audit.table needs DuckDB or PostgreSQL; leave it out,"
                " and load the files of audit.path",
                at=("audit", "table"),
            )
        self.close()
        try:
            self.dialect.load(self.url, rows)
        except (SQLAlchemyError, DriverError) as error:
            raise self._not_written(rows.table, error) from None

    def delete_before(
        self, table: str, same: Mapping[str, str], column: str, moment: dt.datetime
    ) -> None:
        """Delete rows of a table, if it is there.

        Args:
            table: its name, behind its schema and a dot where it has one.
            same: column -> value that they have.
            column: of times.
            moment: they are from before it.

        Raises:
            WarehouseError: they are still there.
        """
        self.close()
        schema, _, name = table.rpartition(".")
        columns: list[sa.ColumnClause[Any]] = [sa.column(each) for each in (*same, column)]
        found = sa.table(name, *columns, schema=schema or None)
        conditions = [found.c[each] == value for each, value in same.items()]
        engine = self.dialect.writable_engine(self.url)
        try:
            with engine.begin() as connection:
                if sa.inspect(connection).has_table(name, schema or None):
                    is_old = found.c[column] < moment
                    connection.execute(found.delete().where(*conditions, is_old))
        except (SQLAlchemyError, DriverError) as error:
            raise self._not_written(table, error) from None
        finally:
            engine.dispose()

    def _not_written(self, table: str, error: SQLAlchemyError | DriverError) -> WarehouseError:
        origin = getattr(error, "orig", None) or error
        locked = self.dialect.cause(origin) is Cause.LOCKED
        remedy = (
            "another program has the file open"
            if locked
            else "the user of source.warehouse must be allowed to create it and to write to it"
        )
        return WarehouseError(
            f"{self._destination.name}: the table {table} could not be written"
            f" ({type(origin).__name__}): {remedy}",
            at=("audit", "table"),
        )

    def close(self) -> None:
        """Give connections back; others can then write to a DuckDB file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._spill is not None:
            spill.release(self._spill)
            self._spill = None

    def _create_engine(self) -> Engine:
        name = self._destination.name
        file = self.dialect.file(self.url)
        if file is not None and not file.is_file():
            raise WarehouseError(
                f"{name}: there is no {self.dialect.title} file at the address in source.warehouse;"
                " create it, or correct the path (relative paths start at"
                f" {self._destination.root})",
                at=_AT,
            )
        try:
            engine = self.dialect.create_engine(self.url)
        except (NoSuchModuleError, ImportError) as error:
            lacking = missing_driver(
                self.url.get_backend_name(),
                self.url.drivername,
                error if isinstance(error, ImportError) else None,
            )
            raise ConfigError(f"{name}: source.warehouse: {lacking}", at=_AT) from None
        if self.dialect.spills:
            self._spill = spill.acquire(home(self._destination.root))
            self.dialect.spill_into(engine, self._spill)
        return engine


def _configured_url(destination: Destination) -> URL:
    reference = destination.model.source.warehouse
    try:
        address = resolve(reference, destination.root) if is_reference(reference) else reference
    except ValueError as error:
        raise ConfigError(f"{destination.name}: source.warehouse: {error}", at=_AT) from None
    try:
        return make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{destination.name}: source.warehouse is not a SQLAlchemy URL such as"
            " postgresql://host/database; write special characters of a password as %40 for @,"
            " %3A for :, %2F for /",
            at=_AT,
        ) from None
