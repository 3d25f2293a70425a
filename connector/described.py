"""What a query is: its columns, the types of cursor and key, and how it is selected from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.conversion import COLUMNS, EXTRA
from connector.cursor import POSTGRESQL_TYPES, ColumnType, Cursor, duckdb_type, iso_form, python_type
from connector.destination import Destination
from connector.errors import ConfigError


@dataclass(frozen=True)
class Description:
    """The query as SQLAlchemy sees it. canonical: canonical column -> column of the query; extra likewise."""

    table: sa.FromClause
    names: tuple[str, ...]
    cursor: Cursor | None
    key_types: tuple[ColumnType, ...]
    cursor_name: str
    key_names: tuple[str, ...]
    canonical: dict[str, str]
    extra: dict[str, str]
    as_text: frozenset[str]

    def order(self) -> tuple[ColumnElement[Any], list[ColumnElement[Any]], list[ColumnType]]:
        """Cursor column, key columns and their types."""
        cursor_type = self.cursor.type if self.cursor is not None else ColumnType("text")
        return self.table.c[self.cursor_name], [self.table.c[name] for name in self.key_names], [cursor_type, *self.key_types]

    def ordering(self) -> list[ColumnElement[Any]]:
        """Cursor and key under names that no column of the query has, so that ORDER BY means the columns themselves."""
        cursor, keys, types = self.order()
        exact = sa.cast(cursor, sa.Text()) if types[0].kind == "xid8" else cursor
        return [exact.label("_cursor"), *(key.label(f"_key{index}") for index, key in enumerate(keys))]

    def selected(self) -> list[ColumnElement[Any]]:
        """Everything that a record needs."""
        columns = [(name, self.table.c[column]) for name, column in self.canonical.items()]
        shown = [(sa.cast(column, sa.Text()) if name in self.as_text else column).label(f"c{index}_") for index, (name, column) in enumerate(columns)]
        extra = [self.table.c[column].label(f"x{index}_") for index, column in enumerate(self.extra.values())]
        return [*self.ordering(), *shown, *extra]

    def name_map(self) -> dict[str, str]:
        """Label in SQL -> column of the frame."""
        canonical = {f"c{index}_": name for index, name in enumerate(self.canonical)}
        return {**canonical, **{f"x{index}_": EXTRA + name for index, name in enumerate(self.extra)}}


def describe(connection: Connection, query: str, destination: Destination, wanted: Sequence[str]) -> Description:
    """Find out the query's columns and the types of cursor and key. Raises ConfigError naming every missing column."""
    model, source = destination.model, destination.model.source
    text = _subquery_text(query, destination)
    probe = connection.execute(sa.text(f"SELECT * FROM (\n{text}\n) q WHERE 1 = 0"))  # noqa: S608  the user's own query
    described = list(probe.cursor.description) if probe.cursor is not None else []
    names = tuple(probe.keys())
    probe.close()
    if len(set(names)) != len(names):
        raise ConfigError(f"{destination.name}: the query returns two columns of the same name; give each an alias of its own")
    canonical = {name: column for name in wanted if (column := model.columns.get(name, name)) in names}
    extra = {text_.split("|")[0].strip(): text_.split("|")[0].strip() for text_ in model.extra.values()}
    missing = [name for name in (source.cursor, *source.keys, *model.columns.values(), *extra.values()) if name not in names]
    if missing:
        listed = ", ".join(dict.fromkeys(missing))
        raise ConfigError(f"{destination.name}: the query {source.query} has no column {listed}; it has {', '.join(names)}")
    table = sa.text(text + "\n").columns(*(sa.column(name) for name in names)).subquery("q")
    types = {name: _type(connection, table, name, row) for name, row in zip(names, described, strict=True) if name in (source.cursor, *source.keys)}
    cursor_type = types[source.cursor]
    cursor = None if cursor_type is None else _cursor(connection, table, cursor_type, destination)
    as_text = frozenset(name for name in canonical if COLUMNS[name].kind == "time") if connection.dialect.name == "postgresql" else frozenset()
    key_types = tuple(types[name] or ColumnType("text") for name in source.keys)
    return Description(table, names, cursor, key_types, source.cursor, source.keys, canonical, extra, as_text)


def _subquery_text(query: str, destination: Destination) -> str:
    """The query as text for SQLAlchemy, where a colon would start a parameter. One statement, no trailing semicolon."""
    stripped = re.sub(r"(;|\s)+\Z", "", query)
    if not stripped:
        raise ConfigError(f"{destination.name}: the query {destination.model.source.query} is empty")
    return stripped.replace("\\", "\\\\").replace(":", r"\:") if ":" in stripped else stripped


def _type(connection: Connection, table: sa.FromClause, name: str, described: Any) -> ColumnType | None:
    """The type of a column: from the driver's description where it has one, otherwise from a value."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        known = POSTGRESQL_TYPES.get(int(described.type_code))
    elif dialect == "duckdb":
        known = duckdb_type(str(described[1]))
    else:
        value = connection.execute(sa.select(table.c[name]).where(table.c[name].is_not(None)).limit(1)).scalar()
        if value is None:
            return None
        known = python_type(value)
        if known is not None and dialect == "sqlite":
            known = ColumnType(known.kind)
    if known is None:
        raise ConfigError(f"the column {name} has a type that rows cannot be ordered by exactly; use a timestamp, a date, an integer, a UUID or text")
    return known


def _cursor(connection: Connection, table: sa.FromClause, kind: ColumnType, destination: Destination) -> Cursor:
    source = destination.model.source
    if source.cursor_kind == "xid8" and kind.kind != "xid8":
        raise ConfigError(f"{destination.name}: source.cursor_kind is xid8, but the column {source.cursor} is not of that type")
    if kind.kind == "text":
        raise ConfigError(f"{destination.name}: the cursor {source.cursor} is text; use a timestamp, a date or an integer, whose order is that of time")
    form = None
    if kind.kind == "iso_text":
        column = table.c[source.cursor]
        form = iso_form(str(connection.execute(sa.select(sa.func.min(column)).select_from(table)).scalar()))
        odd = connection.execute(sa.select(sa.func.count()).select_from(table).where(column.is_not(None), sa.not_(column.op("GLOB")(form.glob())))).scalar()
        if odd:
            raise ConfigError(
                f"{destination.name}: {odd} values of the cursor {source.cursor} are written in another form than the rest, so their text order is not the order of time; write all of them alike"
            )
    naive = kind.kind in ("naive", "date") or (form is not None and not form.zone)
    if naive and source.time_zone is None:
        raise ConfigError(f"{destination.name}: the cursor {source.cursor} has no time zone; set source.time_zone, for example to UTC")
    unit = source.time_unit if kind.kind == "integer" else None
    return Cursor(kind, source.time_zone, unit, form)
