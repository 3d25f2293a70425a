"""What a query is: its columns, the types of cursor and key, and how it is selected from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.platforms.columns import COLUMNS, EXTRA
from connector.platforms.expression import parse
from connector.source.sql_text import Raw, one_statement
from connector.source.watermark import (
    POSTGRESQL_TYPES,
    ColumnType,
    Cursor,
    IsoForm,
    duckdb_type,
    iso_form,
    python_type,
)


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
    collation: str | None

    def order(self) -> tuple[ColumnElement[Any], list[ColumnElement[Any]], list[ColumnType]]:
        """Cursor column, key columns and their types; text byte by byte, whatever collation it has."""
        cursor_type = self.cursor.type if self.cursor is not None else ColumnType("text")
        names, types = (self.cursor_name, *self.key_names), [cursor_type, *self.key_types]
        cursor, *keys = (
            self._exact(self.table.c[name], kind) for name, kind in zip(names, types, strict=True)
        )
        return cursor, keys, types

    def _exact(self, column: ColumnElement[Any], kind: ColumnType) -> ColumnElement[Any]:
        """A column under which only equal values are equal: not 'a' and 'A', nor a padded text and the one without."""
        if self.collation is None or not kind.collated:
            return column
        text = column if kind.sql is None else sa.cast(column, sa.Text())
        return sa.collate(text, self.collation)

    def ordering(self) -> list[ColumnElement[Any]]:
        """Cursor and key under names that no column of the query has, so that ORDER BY means the columns themselves."""
        cursor, keys, types = self.order()
        exact = sa.cast(cursor, sa.Text()) if types[0].kind == "xid8" else cursor
        return [
            exact.label("_cursor"),
            *(key.label(f"_key{index}") for index, key in enumerate(keys)),
        ]

    def selected(self) -> list[ColumnElement[Any]]:
        """Everything that a record needs."""
        columns = [(name, self.table.c[column]) for name, column in self.canonical.items()]
        shown = [
            (sa.cast(column, sa.Text()) if name in self.as_text else column).label(f"c{index}_")
            for index, (name, column) in enumerate(columns)
        ]
        extra = [
            self.table.c[column].label(f"x{index}_")
            for index, column in enumerate(self.extra.values())
        ]
        return [*self.ordering(), *shown, *extra]

    def name_map(self) -> dict[str, str]:
        """Label in SQL -> column of the frame."""
        canonical = {f"c{index}_": name for index, name in enumerate(self.canonical)}
        return {
            **canonical,
            **{f"x{index}_": EXTRA + name for index, name in enumerate(self.extra)},
        }


def describe(
    connection: Connection, query: str, destination: Destination, wanted: Sequence[str]
) -> Description:
    """Find out the query's columns and the types of cursor and key. Raises ConfigError naming every missing column."""
    source = destination.model.source
    text = one_statement(
        query, f"{destination.name}: the query {source.query}", connection.dialect.name
    )
    names, described = _probe(connection, text)
    if len(set(names)) != len(names):
        raise ConfigError(
            f"{destination.name}: the query returns two columns of the same name; give each an alias of its own",
            at=("source", "query"),
        )
    missing = missing_columns(destination, names)
    if missing:
        raise ConfigError(
            f"{destination.name}: the query {source.query} has no column {', '.join(missing)}; it has {', '.join(names)}",
            at=next(iter(missing.values())),
        )
    table = Raw(text + "\n").columns(*(sa.column(name) for name in names)).subquery("q")
    ordered = dict.fromkeys((source.cursor, *source.keys))
    types = {
        name: _type(connection, table, name, row)
        for name, row in zip(names, described, strict=True)
        if name in ordered
    }
    cursor_type = types[source.cursor]
    form = (
        _form(connection, table.c[source.cursor])
        if cursor_type is not None and cursor_type.kind == "iso_text"
        else None
    )
    _refuse_odd_values(
        connection,
        table,
        {name: kind for name, kind in types.items() if kind is not None},
        form,
        destination,
    )
    cursor = None if cursor_type is None else _cursor(cursor_type, form, destination)
    return Description(
        table=table,
        names=names,
        cursor=cursor,
        key_types=tuple(types[name] or ColumnType("text") for name in source.keys),
        cursor_name=source.cursor,
        key_names=source.keys,
        canonical=canonical_columns(destination, names, wanted),
        extra={name: name for name in extra_columns(destination)},
        as_text=frozenset(name for name in wanted if COLUMNS[name].kind == "time")
        if connection.dialect.name == "postgresql"
        else frozenset(),
        collation={"postgresql": "C", "duckdb": "C", "sqlite": "BINARY"}.get(
            connection.dialect.name
        ),
    )


def query_columns(connection: Connection, query: str, destination: Destination) -> tuple[str, ...]:
    """Names of the query's columns, whatever they are."""
    name = f"{destination.name}: the query {destination.model.source.query}"
    return _probe(connection, one_statement(query, name, connection.dialect.name))[0]


def canonical_columns(
    destination: Destination, names: Sequence[str], wanted: Sequence[str]
) -> dict[str, str]:
    """Canonical column -> column of the query, for those that are wanted and there."""
    return {
        name: column
        for name in wanted
        if (column := destination.model.columns.get(name, name)) in names
    }


def extra_columns(destination: Destination) -> list[str]:
    """Columns of the query that are sent beside the canonical ones."""
    return list(dict.fromkeys(map(_column_of, destination.model.extra.values())))


def _column_of(text: str) -> str:
    return text.split("|")[0].strip()


def missing_columns(
    destination: Destination, names: Sequence[str]
) -> dict[str, tuple[str | int, ...]]:
    """Columns that the YAML names and the query does not have -> the keys under which it names them."""
    model, source = destination.model, destination.model.source
    named: list[tuple[str, tuple[str | int, ...]]] = [(source.cursor, ("source", "cursor"))]
    named += [
        (name, ("source", "key", *([] if isinstance(source.key, str) else [index])))
        for index, name in enumerate(source.keys)
    ]
    named += [(column, ("columns", name)) for name, column in model.columns.items()]
    named += [(_column_of(text), ("extra", path)) for path, text in model.extra.items()]
    missing: dict[str, tuple[str | int, ...]] = {}
    for name, where in named:
        if name not in names:
            missing.setdefault(name, where)
    return missing


def required_columns(destination: Destination) -> list[str]:
    """Canonical columns without which every row would be rejected, apart from those that are constants."""
    platform = destination.platform
    required = [
        column
        for name in platform.required
        for column in (parse(platform.fields[name]).columns if name in platform.fields else [name])
    ]
    needed = dict.fromkeys(
        ["event_name", *required, *(["event_time"] if platform.missing_time == "reject" else [])]
    )
    return [name for name in needed if name not in destination.model.constants]


def _probe(connection: Connection, text: str) -> tuple[tuple[str, ...], list[Any]]:
    """Names and the driver's descriptions of the query's columns, without a row."""
    probe = connection.execute(Raw(f"SELECT * FROM (\n{text}\n) q WHERE 1 = 0"))  # noqa: S608  the user's own query
    described = list(probe.cursor.description) if probe.cursor is not None else []
    names = tuple(probe.keys())
    probe.close()
    return _own_names(connection, text, names), described


def _own_names(connection: Connection, text: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as the query gives them: DuckDB and SQLite rename the second of two equal ones inside a subquery."""
    if connection.dialect.name == "duckdb":
        return tuple(str(column[0]) for column in connection.execute(Raw(f"DESCRIBE {text}")))
    if connection.dialect.name == "sqlite":
        return tuple(
            base if (base := re.sub(r":\d+$", "", name)) in names else name for name in names
        )
    return names


def _type(
    connection: Connection, table: sa.FromClause, name: str, described: Any
) -> ColumnType | None:
    """The type of a column: from the driver's description where it has one, otherwise from a value."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        known = POSTGRESQL_TYPES.get(int(described.type_code))
    elif dialect == "duckdb":
        known = duckdb_type(str(described[1]))
    else:
        value = connection.execute(
            sa.select(table.c[name]).where(table.c[name].is_not(None)).limit(1)
        ).scalar()
        if value is None:
            return None
        known = python_type(value)
        if known is not None and dialect == "sqlite":
            known = ColumnType(known.kind, None, "0001" if known.kind == "iso_text" else None)
        elif known is not None and known.kind == "iso_text":
            known = ColumnType("text")
    if known is None:
        raise ConfigError(
            f"the column {name} has a type that rows cannot be ordered by exactly; use a timestamp, a date, an integer, a UUID or text",
            at=("source", "query"),
        )
    return known


def _form(connection: Connection, column: ColumnElement[Any]) -> IsoForm:
    """How the times in a column of texts are written, by one of them. Raises ConfigError where text order is not time order."""
    return iso_form(
        str(connection.execute(sa.select(column).where(column.is_not(None)).limit(1)).scalar())
    )


def _refuse_odd_values(
    connection: Connection,
    table: sa.FromClause,
    types: Mapping[str, ColumnType],
    form: IsoForm | None,
    destination: Destination,
) -> None:
    """Refuse columns in which some values are of another type or form than the rest, and numbers that are not whole: neither has an order to rely on."""
    odd: dict[str, ColumnElement[bool]] = {}
    cursor = destination.model.source.cursor
    for name, kind in types.items():
        column = table.c[name]
        if form is not None and name == cursor:
            odd[name] = sa.and_(column.is_not(None), sa.not_(form.fits(column)))
        elif connection.dialect.name == "sqlite":
            odd[name] = sa.func.typeof(column).not_in(
                ["null", "integer" if kind.kind == "integer" else "text"]
            )
        elif kind.sql == "NUMERIC":
            odd[name] = column - sa.func.trunc(column) != 0
    if not odd:
        return
    counts = connection.execute(
        sa.select(
            *(sa.func.sum(sa.case((condition, 1), else_=0)) for condition in odd.values())
        ).select_from(table)
    ).one()
    for name, number in zip(odd, counts, strict=True):
        if number and form is not None and name == cursor:
            raise ConfigError(
                f"{destination.name}: {number} values of the cursor {name} are written in another form than the rest, so their text order is not the order of time; write all of them alike",
                at=("source", "cursor"),
            )
        if number:
            expected = "whole numbers" if types[name].kind == "integer" else "text"
            raise ConfigError(
                f"{destination.name}: {number} values of the column {name} are not {expected} as the first one is, so rows cannot be ordered by it; cast it in the query",
                at=("source", "cursor" if name == destination.model.source.cursor else "key"),
            )


def _cursor(kind: ColumnType, form: IsoForm | None, destination: Destination) -> Cursor:
    source = destination.model.source
    if source.cursor_kind == "xid8" and kind.kind != "xid8":
        raise ConfigError(
            f"{destination.name}: source.cursor_kind is xid8, but the column {source.cursor} is not of that type",
            at=("source", "cursor_kind"),
        )
    if kind.kind == "text":
        raise ConfigError(
            f"{destination.name}: the cursor {source.cursor} is text; use a timestamp, a date or an integer, whose order is that of time",
            at=("source", "cursor"),
        )
    naive = kind.kind in ("naive", "date") or (form is not None and not form.zone)
    if naive and source.time_zone is None:
        raise ConfigError(
            f"{destination.name}: the cursor {source.cursor} has no time zone; set source.time_zone, for example to UTC",
            at=("source", "cursor"),
        )
    unit = source.time_unit if kind.kind == "integer" else None
    return Cursor(kind, source.time_zone, unit, form)
