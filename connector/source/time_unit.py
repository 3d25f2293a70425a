"""Tells a wrong `source.time_unit`: read in it, all rows lie in the future, or before 1980."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Literal, get_args

from connector.source.survey import Survey
from connector.source.watermark import Cursor

Unit = Literal["s", "ms", "us", "ns"]

_FIRST = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)
_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def is_suspicious(cursor: Cursor, found: Survey) -> bool:
    """Whether a survey looks as it does with a wrong unit; then the latest row tells."""
    if cursor.time_unit is None:
        return False
    oldest = None if found.oldest is None else cursor.moment_of(found.oldest)
    return (oldest is not None and oldest < _FIRST) or (found.future > 0 and not found.waiting)


def wrong_unit(name: str, cursor: Cursor, latest: str, now: dt.datetime) -> str | None:
    """A sentence where the latest cursor value is a likely time in another unit alone.

    Args:
        name: of the cursor column.
        cursor: with the unit that is configured.
        latest: the greatest value, as text.
        now: the database's clock.
    """
    if cursor.time_unit is None:
        return None
    moment = cursor.moment_of(latest)
    if moment is None or _FIRST <= moment <= now:
        return None
    fitting = [unit for unit in get_args(Unit) if _is_likely(cursor, unit, latest, now)]
    if not fitting:
        return None
    when = "before 1980" if moment < _FIRST else "in the future"
    return (
        f"source.time_unit is {cursor.time_unit}, and so every {name} is a time {when}; read in"
        f" {_WORDS[fitting[0]]} the last one is a time of these years, so set source.time_unit:"
        f" {fitting[0]}"
    )


def _is_likely(cursor: Cursor, unit: Unit, latest: str, now: dt.datetime) -> bool:
    moment = replace(cursor, time_unit=unit).moment_of(latest)
    return moment is not None and _FIRST <= moment <= now + dt.timedelta(days=1)
