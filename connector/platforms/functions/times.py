"""Instants as numbers and as ISO 8601 text, and days."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_distinct
from connector.arrow.text import time_text
from connector.platforms.functions.registry import Context, Values, function


@function("unix_s", takes="time", last=True)
def unix_s(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Whole seconds since 1970, floored."""
    return floored(times, "s").cast(pa.int64())


@function("unix_ms", takes="time", last=True)
def unix_ms(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Whole milliseconds since 1970, floored."""
    return floored(times, "ms").cast(pa.int64())


@function("iso_seconds", takes="time")
def iso_seconds(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """`2026-04-13T14:30:00Z`, floored to the second."""
    return time_text(floored(times, "s"))


@function("iso_ms", takes="time")
def iso_ms(times: pa.Array, _context: Context, _argument: str | None) -> Values:
    """`2026-04-13T14:30:00.000Z`, floored to the millisecond."""
    return time_text(floored(times, "ms"))


@function("iso_date", normaliser=True)
def iso_date(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """The day, `2026-07-01`, of a date or a time in ISO 8601; null where there is no such day."""
    return map_distinct(values, _day)


def _day(text: str) -> str | None:
    try:
        return dt.date.fromisoformat(text[:10]).isoformat() if text[10:11] in "T " else None
    except ValueError:
        return None


def floored(times: pa.Array, unit: str) -> pa.Array:
    """Instants in whole seconds ("s") or milliseconds ("ms"): the last one at or before each."""
    whole = times.cast(pa.timestamp(unit, "UTC"), safe=False)
    if not pc.any(pc.less(times, pa.scalar(0, times.type))).as_py():
        return whole
    return pc.floor_temporal(times, unit={"s": "second", "ms": "millisecond"}[unit]).cast(
        whole.type
    )
