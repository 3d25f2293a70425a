"""The cursor: what types it may have, how its values become exact text, and how that text becomes SQL again.

A mark is kept as text because every other form loses something: floats lose digits, milliseconds lose microseconds,
SQLite drops zones. The text goes back into SQL as a bound parameter that the database casts to the column's own type.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.errors import ConfigError

Kind = Literal["zoned", "naive", "date", "integer", "epoch", "text", "iso_text", "xid8"]


class Mark(NamedTuple):
    """A place in the order of rows. cursor: exact text. key: texts of the key columns; None stands before every key, () behind every one."""

    cursor: str
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ColumnType:
    """The type of a cursor or key column. sql: its name for CAST, or None where values are bound as they are."""

    kind: Kind
    sql: str | None = None

    def bind(self, text: str) -> ColumnElement[Any]:
        """Exact text as a SQL value of this type."""
        if self.sql is not None:
            return sa.cast(sa.literal(text, sa.String()), _Named(self.sql))
        return sa.literal(int(text)) if self.kind in ("integer", "epoch") else sa.literal(text)


class _Named(sa.types.UserDefinedType[Any]):
    """A type by its SQL name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


POSTGRESQL_TYPES: dict[int, ColumnType] = {
    1184: ColumnType("zoned", "TIMESTAMP WITH TIME ZONE"),
    1114: ColumnType("naive", "TIMESTAMP"),
    1082: ColumnType("date", "DATE"),
    **dict.fromkeys((20, 21, 23), ColumnType("integer", "BIGINT")),
    1700: ColumnType("integer", "NUMERIC"),
    **dict.fromkeys((25, 1042, 1043), ColumnType("text", "TEXT")),
    2950: ColumnType("text", "UUID"),
    5069: ColumnType("xid8", "XID8"),
}


def duckdb_type(name: str) -> ColumnType | None:
    """The type of a DuckDB column by the name it has there."""
    if name == "TIMESTAMP WITH TIME ZONE":
        return ColumnType("zoned", name)
    if name in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return ColumnType("naive", name)
    if name == "DATE":
        return ColumnType("date", name)
    if name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT") or re.fullmatch(
        r"DECIMAL\(\d+,\s*0\)", name
    ):
        return ColumnType("integer", name)
    return ColumnType("text", name) if name in ("VARCHAR", "UUID") else None


def python_type(value: Any) -> ColumnType | None:
    """The type of a column in any other database, by a value of it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, dt.datetime):
        return ColumnType("zoned" if value.tzinfo else "naive", "TIMESTAMP WITH TIME ZONE" if value.tzinfo else "TIMESTAMP")
    if isinstance(value, dt.date):
        return ColumnType("date", "DATE")
    if isinstance(value, int):
        return ColumnType("integer")
    if isinstance(value, str):
        return ColumnType("iso_text" if _ISO_TEXT.match(value) else "text")
    return None


_ISO_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.\d+)?(Z|\+00:00)?\Z")


class IsoForm(NamedTuple):
    """How times are written as text. separator: T or a space; zone: Z, +00:00 or nothing."""

    separator: str
    zone: str

    def glob(self) -> str:
        """SQLite GLOB pattern of texts in this form."""
        two = "[0-9][0-9]"
        return f"{two}{two}-{two}-{two}{self.separator}{two}:{two}:{two}*{self.zone}"


def iso_form(value: str) -> IsoForm:
    """The form of one time in text. Raises ConfigError where text order is not time order."""
    match = _ISO_TEXT.match(value)
    if match is None:
        raise ConfigError("the cursor is text that is not an ISO 8601 time in UTC; use a timestamp, an integer, or text such as 2026-01-01T00:00:00Z")
    return IsoForm(match[1], match[2] or "")


@dataclass(frozen=True)
class Cursor:
    """The cursor column of a source: how moments become values of it.

    type: of the column. time_zone: of naive values. time_unit: of integers that are times. form: of times in text.
    """

    type: ColumnType
    time_zone: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    form: IsoForm | None = None

    @property
    def is_time(self) -> bool:
        """True where values can be compared with a clock."""
        return self.type.kind in ("zoned", "naive", "date", "iso_text") or self.time_unit is not None

    def text_of(self, moment: dt.datetime) -> str:
        """A moment as cursor text, floored; only where the cursor is a time."""
        kind = self.type.kind
        if self.time_unit is not None:
            scale = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[self.time_unit]
            return str(_unix_us(moment) // scale * (1000 if self.time_unit == "ns" else 1))
        if kind == "zoned":
            return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        zoned_text = kind == "iso_text" and self.form is not None and self.form.zone
        local = moment.astimezone(dt.UTC if zoned_text else ZoneInfo(self.time_zone or "UTC"))
        if kind == "date":
            return local.strftime("%Y-%m-%d")
        if kind == "iso_text":
            assert self.form is not None
            fraction = ".%f" if local.microsecond else ""
            return local.strftime(f"%Y-%m-%d{self.form.separator}%H:%M:%S{fraction}")
        return local.strftime("%Y-%m-%dT%H:%M:%S.%f")

    def moment_of(self, text: str) -> dt.datetime | None:
        """Cursor text as a moment, to the microsecond; None where the cursor is not a time."""
        if self.time_unit is not None:
            scale = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[self.time_unit]
            microseconds = int(text) * scale if self.time_unit != "ns" else int(text) // 1000
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
        if not self.is_time:
            return None
        moment = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(self.time_zone or "UTC"))
        return moment.astimezone(dt.UTC)


def _unix_us(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Range:
    """Rows in (cursor, key) order: after `after`, up to and with `upto`, and before the cursor value `before`.

    An `after` without a key begins with its cursor value, an `upto` without a key ends with the last row of its value.
    """

    after: Mark | None = None
    upto: Mark | None = None
    before: str | None = None

    @classmethod
    def behind(cls, mark: Mark, start: Mark | None) -> Range:
        """What a high-water mark stands behind. A mark without a key stands before the rows of its own cursor value."""
        return cls(start, None, mark.cursor) if mark.key is None else cls(start, mark)

    def where(self, cursor: ColumnElement[Any], keys: Sequence[ColumnElement[Any]], types: Sequence[ColumnType]) -> ColumnElement[bool]:
        """The range as a condition, spelled out for databases without row comparison.

        types: of the cursor, then of each key column. The leading `cursor >=` lets an index on the cursor be used.
        """
        parts: list[ColumnElement[bool]] = [cursor.is_not(None)]
        if self.after is not None:
            value = types[0].bind(self.after.cursor)
            parts.append(cursor >= value)
            if self.after.key is not None:
                parts.append(sa.or_(cursor > value, _beyond(keys, self.after.key, types[1:])))
        if self.upto is not None:
            value = types[0].bind(self.upto.cursor)
            parts.append(cursor <= value)
            if self.upto.key is not None:
                parts.append(sa.or_(cursor < value, sa.not_(_beyond(keys, self.upto.key, types[1:]))))
        if self.before is not None:
            parts.append(cursor < types[0].bind(self.before))
        return sa.and_(*parts)


def _beyond(keys: Sequence[ColumnElement[Any]], values: Sequence[str], types: Sequence[ColumnType]) -> ColumnElement[bool]:
    """Keys > values in lexicographic order."""
    condition: ColumnElement[bool] = sa.false()
    for key, value, kind in reversed(list(zip(keys, values, types, strict=bool(values)))):
        bound = kind.bind(value)
        condition = sa.or_(key > bound, sa.and_(key == bound, condition))
    return condition
