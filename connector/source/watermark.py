"""The cursor and the watermark on it: moments as cursor text, and ranges as SQL predicates.

A watermark is kept as text because every other form loses something: floats lose digits,
milliseconds lose microseconds, SQLite drops zones. The text goes back into SQL as a bound parameter
that the database casts to the column's own type.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.model import Mark, Range
from connector.source.column_types import ColumnType, IsoForm

EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
"""Moments that Python can hold in every time zone; what lies beyond is taken for these."""

_NS = dt.datetime(1678, 1, 1, tzinfo=dt.UTC), dt.datetime(2262, 4, 10, tzinfo=dt.UTC)
"""Nanoseconds in 64 bits reach no further."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Cursor:
    """The cursor column of a source: how moments become values of it.

    Attributes:
        type: of the column.
        time_zone: of naive values.
        time_unit: of integers that are times.
        form: of times in text.
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
        """A moment as cursor text, floored; only where the cursor is a time.

        Moments beyond what the cursor can hold become its first or last one.
        """
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
    """The range as a predicate, spelled out for databases without row comparison.

    The leading `cursor >=` lets the database use an index on the cursor.

    Args:
        rows: the range.
        cursor: the cursor column.
        keys: the key columns.
        types: of the cursor, then of each key column.
    """
    parts: list[ColumnElement[bool]] = [cursor.is_not(None)]
    if rows.after is not None:
        value = types[0].bind(rows.after.cursor)
        parts.append(cursor >= value)
        if _fits(rows.after, types[1:]):
            parts.append(sa.or_(cursor > value, _beyond(keys, rows.after.key or (), types[1:])))
    elif types[0].least is not None:
        parts.append(cursor >= types[0].bind(types[0].least))
    if rows.upto is not None:
        value = types[0].bind(rows.upto.cursor)
        parts.append(cursor <= value)
        if _fits(rows.upto, types[1:]):
            parts.append(
                sa.or_(cursor < value, sa.not_(_beyond(keys, rows.upto.key or (), types[1:])))
            )
    if rows.before is not None:
        parts.append(cursor < types[0].bind(rows.before))
    return sa.and_(*parts)


def has_key(
    wanted: Sequence[tuple[str, ...]],
    keys: Sequence[ColumnElement[Any]],
    types: Sequence[ColumnType],
) -> ColumnElement[bool]:
    """Rows that have one of these keys.

    Args:
        wanted: the texts of each key; they become one list of bound values, so that no number of
            keys makes the predicate deeper.
        keys: the key columns.
        types: of each key column.
    """
    parts = [sa.column(f"k{index}", kind.bound) for index, kind in enumerate(types)]
    values = [
        tuple(kind.value(part) for kind, part in zip(types, key, strict=True))
        for key in dict.fromkeys(wanted)
    ]
    listed = sa.values(*parts, name="wanted").data(values).cte("wanted")
    same = (
        column == kind.cast(listed.c[part.name])
        for column, kind, part in zip(keys, types, parts, strict=True)
    )
    return sa.exists().where(*same)


def _fits(mark: Mark, types: Sequence[ColumnType]) -> bool:
    """Whether a key has values of the columns that the source has now; else it counts as none."""
    if mark.key is None or len(mark.key) not in (0, len(types)):
        return False
    return all(kind.fits(text) for kind, text in zip(types, mark.key, strict=bool(mark.key)))


def _beyond(
    keys: Sequence[ColumnElement[Any]], values: Sequence[str], types: Sequence[ColumnType]
) -> ColumnElement[bool]:
    """Keys > values in lexicographic order."""
    condition: ColumnElement[bool] = sa.false()
    for key, value, kind in reversed(list(zip(keys, values, types, strict=bool(values)))):
        bound = kind.bind(value)
        condition = sa.or_(key > bound, sa.and_(key == bound, condition))
    return condition
