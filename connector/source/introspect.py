"""Inspects a query: its column names, the types of cursor and key, and how to select from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.platforms.columns import COLUMNS, EXTRA
from connector.source.column_types import ColumnType, IsoForm, iso_form
from connector.source.dialects.base import Dialect, UnorderedType, Wanted
from connector.source.mapped_columns import canonical_columns, extra_columns, missing_columns
from connector.source.sql_text import Raw, one_statement
from connector.source.watermark import Cursor

_WORDS = {"iso_text": "text", "zoned": "a time with a zone", "naive": "a time without a zone"}
_EXAMPLE = dt.datetime(2026, 1, 2, 3, 4, 5, 600_000)


@dataclass(frozen=True)
class Description:
    """A query, as SQLAlchemy selects from it.

    Attributes:
        table: the query as a subquery.
        names: of its columns.
        cursor: None while there is no row to tell its type by.
        key_types: of the key columns.
        cursor_name, key_names: which columns they are.
        ordering_selections: the expressions that give cursor and key columns exactly.
        selections: canonical or `extra.` column -> the expression that gives it exactly.
        dialect: of the query's database.
    """

    table: sa.FromClause
    names: tuple[str, ...]
    cursor: Cursor | None
    key_types: tuple[ColumnType, ...]
    cursor_name: str
    key_names: tuple[str, ...]
    selections: dict[str, ColumnElement[Any]]
    dialect: Dialect
    ordering_selections: Sequence[ColumnElement[Any]] = ()

    def order(self) -> tuple[ColumnElement[Any], list[ColumnElement[Any]], list[ColumnType]]:
        """Cursor column, key columns and their types; text byte by byte, whatever its collation."""
        cursor_type = self.cursor.type if self.cursor is not None else ColumnType("text")
        names, types = (self.cursor_name, *self.key_names), [cursor_type, *self.key_types]
        cursor, *keys = (
            self._exact(self.table.c[name], kind) for name, kind in zip(names, types, strict=True)
        )
        return cursor, keys, types

    def _exact(self, column: ColumnElement[Any], kind: ColumnType) -> ColumnElement[Any]:
        """A column under which only equal values are equal: not 'a' and 'A', nor 'a' and 'a '."""
        if self.dialect.collation is None or not kind.collated:
            return column
        text = column if kind.sql is None else sa.cast(column, sa.Text())
        return sa.collate(text, self.dialect.collation)

    def ordering(self) -> list[ColumnElement[Any]]:
        """Cursor and key as `_cursor`, `_key0`, ...: names that no column of the query has.

        So ORDER BY means the columns themselves.
        """
        names = ["_cursor", *(f"_key{index}" for index in range(len(self.key_names)))]
        return [
            column.label(name) for name, column in zip(names, self.ordering_selections, strict=True)
        ]

    def selected(self) -> list[ColumnElement[Any]]:
        """Cursor, key, and everything that a record needs."""
        shown = [
            column.label(f"c{index}_") for index, column in enumerate(self.selections.values())
        ]
        return [*self.ordering(), *shown]

    def name_map(self) -> dict[str, str]:
        """Label in SQL -> canonical or `extra.` column."""
        return {f"c{index}_": name for index, name in enumerate(self.selections)}

    def irregular_values(self) -> dict[str, ColumnElement[bool]]:
        """Cursor and key columns -> a predicate for values that are not of one type and form.

        Such values, and numbers that are not whole, have no order to rely on.
        """
        if self.cursor is None:
            return {}
        types = {
            **dict(zip(self.key_names, self.key_types, strict=True)),
            self.cursor_name: self.cursor.type,
        }
        forms = {self.cursor_name: self.cursor.form}
        found = {
            name: self.dialect.irregular(self.table.c[name], kind, forms.get(name))
            for name, kind in types.items()
        }
        return {name: predicate for name, predicate in found.items() if predicate is not None}

    def irregularities(self, counts: Mapping[str, int]) -> dict[str, str]:
        """Sentences on values that have no order.

        Args:
            counts: Column -> number of such values.
        """
        form = None if self.cursor is None else self.cursor.form
        types = self.types_in_words()
        found = {}
        for name, number in counts.items():
            if number and name == self.cursor_name and form is not None:
                found["cursor"] = (
                    f"{number} values of the cursor {name} are written in another form than the"
                    " rest, so their text order is not the order of time; write all of them alike"
                )
            elif number:
                expected = "whole numbers" if types[name] == "integer" else "text"
                found["cursor" if name == self.cursor_name else "key"] = (
                    f"{number} values of the column {name} are not {expected} as the first one is,"
                    " so rows cannot be ordered by it; cast it in the query"
                )
        return found

    def types_in_words(self) -> dict[str, str]:
        """Cursor and key columns -> their types in words, as far as they are known yet."""
        if self.cursor is None:
            return {}
        kinds = dict(zip(self.key_names, (kind.kind for kind in self.key_types), strict=True))
        kinds[self.cursor_name] = self.cursor.type.kind
        found: dict[str, str] = {name: _WORDS.get(kind, kind) for name, kind in kinds.items()}
        if self.cursor.form is not None:
            found[self.cursor_name] = f"text such as {self.cursor.form.text(_EXAMPLE)}"
        return found


def describe(
    connection: Connection, dialect: Dialect, destination: Destination, wanted: Sequence[str]
) -> Description:
    """Find out the columns of a destination's query, and the types of cursor and key.

    Args:
        connection: in a transaction.
        dialect: of its database.
        destination: whose query.
        wanted: canonical columns to select, as far as the query has them.

    Raises:
        ConfigError: naming every missing column, or a column that rows cannot be ordered by.
    """
    source = destination.model.source
    text = _statement(destination, dialect)
    names, described = _probe(connection, dialect, text)
    if len(set(names)) != len(names):
        raise ConfigError(
            f"{destination.name}: the query returns two columns of the same name; give each an"
            " alias of its own",
            at=("source", "query"),
        )
    missing = missing_columns(destination, names)
    if missing:
        raise ConfigError(
            f"{destination.name}: the query {source.query} has no column {', '.join(missing)};"
            f" it has {', '.join(names)}",
            at=next(iter(missing.values())),
        )
    table = Raw(text + "\n").columns(*(sa.column(name) for name in names)).subquery("q")
    types = {
        name: _type(connection, destination, dialect, table.c[name], described[names.index(name)])
        for name in dict.fromkeys((source.cursor, *source.keys))
    }
    cursor_type = types[source.cursor]
    form = None
    if cursor_type is not None and cursor_type.kind == "iso_text":
        form = _form(connection, table.c[source.cursor])
    canonical = canonical_columns(destination, names, wanted)
    selected = {**canonical, **{EXTRA + name: name for name in extra_columns(destination)}}
    expressions = dialect.selections(
        connection,
        [
            Wanted(
                table.c[column],
                COLUMNS[name].kind if name in COLUMNS else "",
                described[names.index(column)],
            )
            for name, column in selected.items()
        ],
    )
    found = Description(
        table=table,
        names=tuple(names),
        cursor=None if cursor_type is None else _cursor(cursor_type, form, destination),
        key_types=tuple(types[name] or ColumnType("text") for name in source.keys),
        cursor_name=source.cursor,
        key_names=source.keys,
        selections=dict(zip(selected, expressions, strict=True)),
        dialect=dialect,
    )
    column, keys, kinds = found.order()
    return replace(
        found, ordering_selections=dialect.ordering_selections(connection, [column, *keys], kinds)
    )


def query_columns(connection: Connection, dialect: Dialect, destination: Destination) -> list[str]:
    """Names of a destination's query's columns, whatever they are."""
    return _probe(connection, dialect, _statement(destination, dialect))[0]


def _statement(destination: Destination, dialect: Dialect) -> str:
    name = f"{destination.name}: the query {destination.model.source.query}"
    return one_statement(destination.query(), name, backslashes=dialect.backslash_escapes)


def _probe(
    connection: Connection, dialect: Dialect, text: str
) -> tuple[list[str], list[Sequence[Any]]]:
    """Names and the driver's descriptions of the query's columns, without a row."""
    no_row = f"SELECT * FROM (\n{text}\n) q WHERE 1 = 0"  # noqa: S608  the user's own query
    probe = connection.execute(Raw(no_row))
    described: list[Sequence[Any]] = (
        list(probe.cursor.description) if probe.cursor is not None else []
    )
    names = list(probe.keys())
    probe.close()
    return dialect.column_names(connection, text, names), described


def _type(
    connection: Connection,
    destination: Destination,
    dialect: Dialect,
    column: ColumnElement[Any],
    described: Sequence[Any],
) -> ColumnType | None:
    """The type of a cursor or key column. Raises ConfigError where rows cannot be ordered by it."""
    try:
        return dialect.column_type(connection, column, described)
    except UnorderedType:
        name: str = getattr(column, "name", "")
        is_cursor = name == destination.model.source.cursor
        advice = (
            "use a timestamp, a date or an integer, whose order is that of time"
            if is_cursor
            else f"give it an exact one in the query: cast({name} as text) as {name}, or an integer"
        )
        raise ConfigError(
            f"{destination.name}: the {'cursor' if is_cursor else 'key'} column {name} has a type"
            f" that rows cannot be ordered by exactly; {advice}",
            at=("source", "cursor" if is_cursor else "key"),
        ) from None


def _form(connection: Connection, column: ColumnElement[Any]) -> IsoForm:
    """How a column of texts writes its times, by one of them.

    Raises ConfigError where text order is not time order.
    """
    one = sa.select(column).where(column.is_not(None)).limit(1)
    return iso_form(str(connection.execute(one).scalar()))


def _cursor(kind: ColumnType, form: IsoForm | None, destination: Destination) -> Cursor:
    source = destination.model.source
    if source.cursor_kind == "xid8" and kind.kind != "xid8":
        raise ConfigError(
            f"{destination.name}: source.cursor_kind is xid8, but the column {source.cursor} is not"
            " of that type",
            at=("source", "cursor_kind"),
        )
    if kind.kind == "text":
        raise ConfigError(
            f"{destination.name}: the cursor {source.cursor} is text; use a timestamp, a date or an"
            " integer, whose order is that of time",
            at=("source", "cursor"),
        )
    naive = kind.kind in ("naive", "date") or (form is not None and not form.zone)
    if naive and source.time_zone is None:
        raise ConfigError(
            f"{destination.name}: the cursor {source.cursor} has no time zone; set"
            " source.time_zone, for example to UTC",
            at=("source", "cursor"),
        )
    unit = source.time_unit if kind.kind == "integer" else None
    return Cursor(kind, source.time_zone, unit, form)
