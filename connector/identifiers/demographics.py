"""Birth dates and genders."""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import lower
from connector.arrow.dictionary import map_distinct, remembered

_EARLIEST = dt.date(1900, 1, 1)
"""A placeholder in many systems, as is everything before it."""

_YEAR_FIRST = [
    re.compile(
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
        r"([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?",
        re.ASCII,
    ),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<year>\d{4})([/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})\.?", re.ASCII),
]
_DOTS = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})", re.ASCII)
"""With dots the day comes first, in every locale of CLDR in which the year comes last."""

_DAY_MONTH = re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})", re.ASCII)
_MONTH_DAY = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})", re.ASCII)

DateOrder = Literal["dmy", "mdy"]


def dob_yyyymmdd(dates: pa.Array, order: DateOrder | None = None) -> pa.Array:
    """A birth date as `YYYYMMDD`; null where it is no date, or a placeholder.

    Reads ISO 8601, `YYYYMMDD`, `1990/12/31` and `31.12.1990`. Dates such as `03/04/1990` need an
    order; without one they count only as Meta writes them, `2/16/1997`, and only where the other
    order gives no other date. Source: Meta (`db`), Pinterest.

    Args:
        dates: Strings, shape (n,).
        order: Whether the day (`dmy`) or the month (`mdy`) comes first.
    """
    return map_distinct(dates, lambda text: _birth_date(text, order))


@remembered(65_536, longest=32)
def _birth_date(text: str, order: DateOrder | None) -> str | None:
    day_first, month_first = _date(_DAY_MONTH, text), _date(_MONTH_DAY, text)
    if day_first is None and month_first is None:
        found = (_date(pattern, text) for pattern in (*_YEAR_FIRST, _DOTS))
        born = next((date for date in found if date is not None), None)
    elif order is None:
        born = month_first if day_first in (None, month_first) else None
    else:
        born = day_first if order == "dmy" else month_first
    if born is None or not _EARLIEST < born < dt.datetime.now(dt.UTC).date():
        return None
    return f"{born:%Y%m%d}"


def _date(pattern: re.Pattern[str], text: str) -> dt.date | None:
    match = pattern.fullmatch(text)
    try:
        return match and dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None


def gender_f_m(genders: pa.Array) -> pa.Array:
    """`f` or `m`; null for anything else. Source: Meta (`ge`), Snapchat."""
    first = lower(genders)
    known = pc.is_in(first, value_set=pa.array(["f", "m", "female", "male", "woman", "man"]))
    letter = pc.replace_substring_regex(first, r"^(f|w).*$", "f")
    return pc.utf8_slice_codeunits(pc.if_else(known, letter, None), 0, 1)
