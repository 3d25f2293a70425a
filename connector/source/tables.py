"""The columns of a table of the warehouse, for a destination that does not exist yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from connector.config.extras import missing_driver
from connector.config.secrets import is_reference, resolve
from connector.errors import ConfigError, WarehouseError
from connector.source.dialects import dialect_of

Kind = Literal["zoned", "naive", "integer", "other"]


class TableColumns(NamedTuple):
    """What is known of a table.

    Attributes:
        kinds: Column -> what its values are, as far as a cursor asks; in the table's order.
        primary_key: Its columns; empty where the table has none.
    """

    kinds: Mapping[str, Kind]
    primary_key: tuple[str, ...]


def table_columns(warehouse: str, root: Path, table: str) -> TableColumns:
    """Read the columns of a table or view.

    Args:
        warehouse: A SQLAlchemy URL, or a reference to one.
        root: Folder that relative paths start from.
        table: Its name, behind its schema and a dot where it has one.

    Raises:
        ConfigError: The address is wrong, its driver is missing, or there is no such table.
        WarehouseError: The database cannot be reached.
    """
    try:
        address = resolve(warehouse, root) if is_reference(warehouse) else warehouse
    except ValueError as error:
        raise ConfigError(f"the warehouse: {error}") from None
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # What it says may hold a part of the password.
        raise ConfigError("the warehouse is not a SQLAlchemy URL") from None
    dialect = dialect_of(url.get_backend_name())
    url = dialect.address(url, root)
    file = dialect.file(url)
    if file is not None and not file.is_file():
        raise ConfigError(f"there is no {dialect.title} file {file}")
    try:
        engine = dialect.create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        missing = error if isinstance(error, ImportError) else None
        lacking = missing_driver(url.get_backend_name(), url.drivername, missing)
        raise ConfigError(f"the warehouse: {lacking}") from None
    schema, _, name = table.rpartition(".")
    try:
        inspector = sa.inspect(engine)
        columns = inspector.get_columns(name, schema or None)
        key = inspector.get_pk_constraint(name, schema or None)["constrained_columns"]
    except NoSuchTableError:
        raise ConfigError(f"the warehouse has no table or view {table}") from None
    except SQLAlchemyError as error:
        raise WarehouseError(
            f"the columns of {table} cannot be read ({type(error).__name__}); see that the"
            " warehouse runs and that its address is right"
        ) from None
    finally:
        engine.dispose()
    return TableColumns({each["name"]: _kind(each["type"]) for each in columns}, tuple(key or ()))


def _kind(found: sa.types.TypeEngine[object]) -> Kind:
    if isinstance(found, sa.DateTime):
        return "zoned" if found.timezone else "naive"
    return "integer" if isinstance(found, sa.Integer) else "other"
