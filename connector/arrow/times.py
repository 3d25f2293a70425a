"""Instants from wall-clock times and from ISO 8601 text. Nothing is guessed."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}(:?[0-5]\d)?)?)?$"
_ISO_ZONE = r"\d{2}:\d{2}.*([Zz]|[+-]\d{2}(:?\d{2})?)$"


def utc(times: pa.Array, time_zone: str | None) -> pa.Array:
    """Timestamps as instants; null where they are naive and no zone is given.

    In the hour that the end of summer time repeats, the first pass is taken; a time in the hour
    that its start skips moves forward.
    """
    if times.type.tz is not None:
        return times.cast(pa.timestamp(times.type.unit, "UTC"))
    if time_zone is None:
        return pa.nulls(len(times), pa.timestamp("us", "UTC"))
    zoned = pc.assume_timezone(times, time_zone, ambiguous="earliest", nonexistent="latest")
    return zoned.cast(pa.timestamp(times.type.unit, "UTC"))


def iso_times(text: pa.Array, time_zone: str | None) -> pa.Array:
    """ISO 8601 text as UTC microseconds, floored; null where it is something else.

    Args:
        text: Strings, shape (n,), each with or without a zone.
        time_zone: Zone of texts without one; without it they are null.
    """
    good = pc.match_substring_regex(text, _ISO)
    text = pc.if_else(good, text, None)
    text = pc.replace_substring(
        pc.replace_substring_regex(text, r"[.,](\d{1,6})\d*", r".\1"), "z", "Z"
    )
    zoned = pc.match_substring_regex(text, _ISO_ZONE)
    instants = _parse(pc.if_else(zoned, text, None), pa.timestamp("us", "UTC"))
    wall_clock = _parse(pc.if_else(zoned, None, text), pa.timestamp("us"))
    return pc.coalesce(instants, utc(wall_clock, time_zone))


def _parse(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """ISO text as timestamps; value by value where Arrow refuses the column for one bad date."""
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        return pa.array([_parse_one(value) for value in text.to_pylist()], kind)


def _parse_one(value: str | None) -> dt.datetime | None:
    try:
        return None if value is None else dt.datetime.fromisoformat(value)
    except ValueError:
        return None
