"""Birth dates and genders."""

from __future__ import annotations

import datetime as dt
import re

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import lower
from connector.arrow.dictionary import map_distinct, remembered

_EARLIEST = dt.date(1900, 1, 1)
"""A placeholder in many systems, as is everything before it."""

_BIRTH_DATES = [
    re.compile(
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
        r"([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?",
        re.ASCII,
    ),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})", re.ASCII),
]


def dob_yyyymmdd(dates: pa.Array) -> pa.Array:
    """A birth date as `YYYYMMDD`; null where it is no date or a placeholder.

    Reads ISO 8601, `YYYYMMDD` and month/day/year. Source: Meta (`db`), Pinterest.
    """
    return map_distinct(dates, _birth_date)


@remembered(65_536, longest=32)
def _birth_date(text: str) -> str | None:
    match = next((found for pattern in _BIRTH_DATES if (found := pattern.fullmatch(text))), None)
    if match is None:
        return None
    try:
        born = dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    return f"{born:%Y%m%d}" if _EARLIEST < born < dt.datetime.now(dt.UTC).date() else None


def gender_f_m(genders: pa.Array) -> pa.Array:
    """`f` or `m`; null for anything else. Source: Meta (`ge`), Snapchat."""
    first = lower(genders)
    known = pc.is_in(first, value_set=pa.array(["f", "m", "female", "male", "woman", "man"]))
    letter = pc.replace_substring_regex(first, r"^(f|w).*$", "f")
    return pc.utf8_slice_codeunits(pc.if_else(known, letter, None), 0, 1)
