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
from connector.model import Mark, Range

Kind = Literal["zoned", "naive", "date", "integer", "text", "iso_text", "xid8"]


EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
"""Moments that Python can hold in every time zone; what lies beyond is taken for these."""

_NS = dt.datetime(1678, 1, 1, tzinfo=dt.UTC), dt.datetime(2262, 4, 10, tzinfo=dt.UTC)
"""Nanoseconds in 64 bits reach no further."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class ColumnType:
    """The type of a cursor or key column.

    sql: its name for CAST, or None where values are bound as they are. least: text of the smallest value that a row may
    have, where the database knows smaller ones that Python does not (-infinity, years BC).
    """

    kind: Kind
    sql: str | None = None
    least: str | None = None

    @property
    def collated(self) -> bool:
        """Whether values are ordered by a collation, which may take different texts for equal."""
        return self.kind in ("text", "iso_text") and self.sql in (None, "TEXT", "VARCHAR")

    def bind(self, text: str) -> ColumnElement[Any]:
        """Exact text as a SQL value of this type."""
        return self.cast(sa.literal(self.value(text), self.bound))

    @property
    def bound(self) -> sa.types.TypeEngine[Any]:
        """What is bound: text, but for integers of databases where a number is not cast."""
        return sa.BigInteger() if self.sql is None and self.kind == "integer" else sa.String()

    def value(self, text: str) -> str | int:
        """Exact text as what is bound."""
        return int(text) if isinstance(self.bound, sa.BigInteger) else text

    def cast(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """A bound value as one of this type."""
        return value if self.sql is None else sa.cast(value, _Named(self.sql))


class _Named(sa.types.UserDefinedType[Any]):
    """A type by its SQL name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


_YEAR_1 = "0001-01-01"

POSTGRESQL_TYPES: dict[int, ColumnType] = {
    1184: ColumnType("zoned", "TIMESTAMP WITH TIME ZONE", _YEAR_1),
    1114: ColumnType("naive", "TIMESTAMP", _YEAR_1),
    1082: ColumnType("date", "DATE", _YEAR_1),
    **dict.fromkeys((20, 21, 23), ColumnType("integer", "BIGINT")),
    1700: ColumnType("integer", "NUMERIC"),
    **dict.fromkeys((25, 1042, 1043), ColumnType("text", "TEXT")),
    2950: ColumnType("text", "UUID"),
    5069: ColumnType("xid8", "XID8"),
}


def duckdb_type(name: str) -> ColumnType | None:
    """The type of a DuckDB column by the name it has there."""
    if name == "TIMESTAMP WITH TIME ZONE":
        return ColumnType("zoned", name, _YEAR_1)
    if name in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"):
        return ColumnType("naive", name, _YEAR_1)
    if name == "TIMESTAMP_NS":
        return ColumnType("naive", name)
    if name == "DATE":
        return ColumnType("date", name, _YEAR_1)
    if name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return ColumnType("integer", "BIGINT")
    if name in ("UBIGINT", "HUGEINT"):
        return ColumnType("integer", "HUGEINT")
    if re.fullmatch(r"DECIMAL\(\d+,\s*0\)", name):
        return ColumnType("integer", name)
    return ColumnType("text", name) if name in ("VARCHAR", "UUID") else None


def python_type(value: Any) -> ColumnType | None:
    """The type of a column in any other database, by a value of it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, dt.datetime):
        return ColumnType(
            "zoned" if value.tzinfo else "naive",
            "TIMESTAMP WITH TIME ZONE" if value.tzinfo else "TIMESTAMP",
        )
    if isinstance(value, dt.date):
        return ColumnType("date", "DATE")
    if isinstance(value, int):
        return ColumnType("integer")
    if isinstance(value, str):
        return ColumnType("iso_text" if _ISO_TEXT.match(value) else "text")
    return None


_ISO_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.(\d+))?(Z|\+00:00)?\Z")


class IsoForm(NamedTuple):
    """How times are written as text. separator: T or a space; zone: Z, +00:00 or nothing.

    digits: of the fraction, where all texts must have as many for their order to be that of time; otherwise None.
    """

    separator: str
    zone: str
    digits: int | None = None

    def fits(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a SQLite column's text is a time in this form."""
        seconds = f"????-??-??{self.separator}??:??:??"
        shape: ColumnElement[bool]
        if self.digits is not None:
            shape = column.op("GLOB")(
                seconds + ("." if self.digits else "") + "[0-9]" * self.digits + self.zone
            )
        else:
            fraction = sa.func.substr(column, 20, sa.func.length(column) - 19 - len(self.zone))
            digits = sa.and_(
                fraction.op("GLOB")(".[0-9]*"),
                sa.not_(sa.func.substr(fraction, 2).op("GLOB")("*[^0-9]*")),
            )
            shape = sa.and_(
                column.op("GLOB")(f"{seconds}*{self.zone}"),
                sa.or_(sa.func.length(column) == 19 + len(self.zone), digits),
            )
        # Not all of it, where SQLite rounds a fraction up to the next day.
        return sa.and_(shape, sa.or_(_is_a_day(column), _is_a_day(sa.func.substr(column, 1, 19))))

    def text(self, moment: dt.datetime) -> str:
        """A moment in this form, floored. moment: in the zone of the text."""
        fraction = f"{moment.microsecond:06d}"
        fraction = (
            fraction.rstrip("0")
            if self.digits is None
            else fraction.ljust(self.digits, "0")[: self.digits]
        )
        return (
            moment.replace(tzinfo=None).isoformat(self.separator, "seconds")
            + (f".{fraction}" if fraction else "")
            + self.zone
        )


def _is_a_day(time: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether SQLite takes a text for a time of the day it begins with: an hour of 24, and a day that its month has not, are of a later one."""
    return sa.func.coalesce(sa.func.date(time, "+0 days"), time) < time


def iso_form(value: str) -> IsoForm:
    """The form of one time in text. Raises ConfigError where text order is not time order."""
    match = _ISO_TEXT.match(value)
    if match is None:
        raise ConfigError(
            "the cursor is text that is not an ISO 8601 time in UTC; use a timestamp, an integer, or text such as 2026-01-01T00:00:00Z"
        )
    separator, fraction, zone = match.groups()
    return IsoForm(separator, zone or "", len(fraction or "") if zone == "Z" else None)


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
        return (
            self.type.kind in ("zoned", "naive", "date", "iso_text") or self.time_unit is not None
        )

    @property
    def is_wall_clock(self) -> bool:
        """True where values are of a zone whose clocks go back once a year."""
        days = (dt.datetime(2026, month, 1, tzinfo=self._zone) for month in range(1, 13))
        return (
            self.is_time and self.time_unit is None and len({day.utcoffset() for day in days}) > 1
        )

    @property
    def _zone(self) -> dt.tzinfo:
        """Zone in which values are written."""
        in_utc = self.type.kind == "zoned" or (self.form is not None and self.form.zone)
        return dt.UTC if in_utc else ZoneInfo(self.time_zone or "UTC")

    def text_of(self, moment: dt.datetime) -> str:
        """A moment as cursor text, floored; only where the cursor is a time. Moments beyond what it can hold are cut off."""
        earliest, latest = (
            _NS if self.time_unit == "ns" or self.type.sql == "TIMESTAMP_NS" else (EARLIEST, LATEST)
        )
        moment = min(max(moment, earliest), latest)
        if self.time_unit is not None:
            return str(
                (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000 // _UNIT_NS[self.time_unit]
            )
        local = moment.astimezone(self._zone)
        if self.type.kind == "date":
            return local.date().isoformat()
        if self.form is not None:
            return self.form.text(local)
        return local.replace(tzinfo=None).isoformat("T", "microseconds") + (
            "Z" if self.type.kind == "zoned" else ""
        )

    def moment_of(self, text: str) -> dt.datetime | None:
        """Cursor text as a moment, to the microsecond; None where the cursor is not a time."""
        if not self.is_time:
            return None
        try:
            if self.time_unit is not None:
                return _EPOCH + dt.timedelta(
                    microseconds=int(text) * _UNIT_NS[self.time_unit] // 1000
                )
            moment = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
            return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(
                dt.UTC
            )
        except OverflowError:
            return EARLIEST if text.startswith(("-", "0001")) else LATEST


def earlier(moment: dt.datetime, span: dt.timedelta) -> dt.datetime:
    """The moment that lies a span before another, or the earliest there is."""
    return moment - span if moment - EARLIEST > span else EARLIEST


def where(
    rows: Range,
    cursor: ColumnElement[Any],
    keys: Sequence[ColumnElement[Any]],
    types: Sequence[ColumnType],
) -> ColumnElement[bool]:
    """The range as a condition, spelled out for databases without row comparison.

    types: of the cursor, then of each key column. The leading `cursor >=` lets an index on the cursor be used.
    """
    parts: list[ColumnElement[bool]] = [cursor.is_not(None)]
    if rows.after is not None:
        value = types[0].bind(rows.after.cursor)
        parts.append(cursor >= value)
        if _fits(rows.after, keys):
            parts.append(sa.or_(cursor > value, _beyond(keys, rows.after.key or (), types[1:])))
    elif types[0].least is not None:
        parts.append(cursor >= types[0].bind(types[0].least))
    if rows.upto is not None:
        value = types[0].bind(rows.upto.cursor)
        parts.append(cursor <= value)
        if _fits(rows.upto, keys):
            parts.append(
                sa.or_(cursor < value, sa.not_(_beyond(keys, rows.upto.key or (), types[1:])))
            )
    if rows.before is not None:
        parts.append(cursor < types[0].bind(rows.before))
    return sa.and_(*parts)


def _fits(mark: Mark, keys: Sequence[ColumnElement[Any]]) -> bool:
    return mark.key is not None and len(mark.key) in (0, len(keys))


def _beyond(
    keys: Sequence[ColumnElement[Any]], values: Sequence[str], types: Sequence[ColumnType]
) -> ColumnElement[bool]:
    """Keys > values in lexicographic order."""
    condition: ColumnElement[bool] = sa.false()
    for key, value, kind in reversed(list(zip(keys, values, types, strict=bool(values)))):
        bound = kind.bind(value)
        condition = sa.or_(key > bound, sa.and_(key == bound, condition))
    return condition
