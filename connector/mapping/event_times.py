"""`event_time`: timestamps, integers or ISO 8601 text -> UTC microseconds."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import mask, present
from connector.arrow.times import iso_times, utc
from connector.errors import ConfigError
from connector.mapping.conversions import Conversions, Rules
from connector.mapping.texts import coerce_texts

_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)
_DAY = dt.timedelta(days=1)
"""More than the width of any time zone."""

_INT64 = 2**63 - 1
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_ENOUGH = 10
"""So many times in a page, all in another unit than declared, are no accident."""


def coerce_times(raw: pa.Array, rules: Rules, result: Conversions) -> pa.Array:
    """Any time column as UTC microseconds, floored; null outside the years 2000 to 9999.

    Raises:
        ConfigError: The column's type leaves open which instants are meant.
    """
    there = present(raw)
    if pa.types.is_timestamp(raw.type):
        times = _from_timestamps(raw, rules.time_zone)
    elif pa.types.is_integer(raw.type):
        times = _from_integers(raw, rules.time_unit)
    elif pa.types.is_floating(raw.type):
        raise ConfigError(
            "the column event_time comes as a floating-point number; cast it in the query, to a "
            "timestamp, or to an integer with source.time_unit"
        )
    else:
        text = coerce_texts("event_time", raw, result)
        times = _from_texts(text, rules)
        there = present(text)
    times = times.cast(pa.timestamp("us", "UTC"), safe=False)
    in_range = pc.and_(
        pc.greater_equal(times, pa.scalar(_EARLIEST, times.type)),
        pc.less(times, pa.scalar(_LATEST, times.type)),
    )
    good = mask(in_range)
    result.mark_bad("event_time", there & ~good)
    return times if good.all() else pc.if_else(in_range, times, None)


def require_times(times: pa.Array, rules: Rules, result: Conversions) -> pa.Array:
    """Give rows without a time the default, or reject them; reject rows with an unusable time."""
    result.without_time = ~present(times)
    unusable = result.bad.get("event_time")
    if unusable is not None:
        result.reject(unusable, "bad_timestamp", "event_time")
    missing = result.without_time if unusable is None else result.without_time & ~unusable
    if rules.default_time is None:
        result.reject(missing, "bad_timestamp", "event_time")
        return times
    result.defaulted = int(missing.sum())
    return (
        pc.fill_null(times, pa.scalar(rules.default_time, times.type))
        if result.defaulted
        else times
    )


def _from_timestamps(times: pa.Array, time_zone: str | None) -> pa.Array:
    if times.type.tz is None and time_zone is None and times.null_count < len(times):
        raise ConfigError(
            "the column event_time comes without a zone; set source.time_zone, or cast it to a "
            "timestamp with time zone in the query"
        )
    return utc(_in_range(times.cast(pa.int64()), times.type.unit).cast(times.type), time_zone)


def _from_texts(text: pa.Array, rules: Rules) -> pa.Array:
    times = iso_times(text, rules.time_zone)
    if rules.time_unit is None:
        return times
    is_number = pc.match_substring_regex(text, r"^\d{1,18}$|^[1-8]\d{18}$")
    numbers = pc.if_else(is_number, text, None).cast(pa.int64())
    counted = _in_range(numbers, rules.time_unit).cast(pa.timestamp(rules.time_unit, "UTC"))
    return pc.coalesce(times, counted.cast(times.type))


def _from_integers(numbers: pa.Array, unit: Literal["s", "ms", "us", "ns"] | None) -> pa.Array:
    """Times of a declared unit; an error where none is declared or another one fits."""
    there = len(numbers) - numbers.null_count
    if unit is None:
        if there:
            raise ConfigError(
                "the column event_time comes as integers, which may be seconds or less; set "
                "source.time_unit to s, ms, us or ns"
            )
        return pa.nulls(len(numbers), pa.timestamp("us", "UTC"))
    inside = _in_range(numbers, unit)
    if there >= _ENOUGH and inside.null_count == len(numbers):
        fitting = [
            name
            for name in _PER_SECOND
            if _in_range(numbers, name).null_count == numbers.null_count
        ]
        if fitting:
            raise ConfigError(
                f"source.time_unit is {unit}, but the numbers in event_time are times in "
                f"{fitting[0]}; correct source.time_unit"
            )
    return inside.cast(pa.timestamp(unit, "UTC"))


def _in_range(numbers: pa.Array, unit: str) -> pa.Array:
    """Integers as int64; null outside the years 2000 to 9999, give or take a day."""
    first, last = (
        int(moment.timestamp()) * _PER_SECOND[unit] for moment in (_EARLIEST - _DAY, _LATEST + _DAY)
    )
    signed = numbers.cast(pa.int64(), safe=False)
    inside = pc.and_(
        pc.greater_equal(signed, min(first, _INT64)), pc.less_equal(signed, min(last, _INT64))
    )
    return pc.if_else(inside, signed, None)
