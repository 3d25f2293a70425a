"""Durations, rates and schedules as people write them in YAML: `5m`, `24h`, `0s`, `200/s`, `*/15 * * * *`."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)\Z")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_RATE = re.compile(r"([0-9]{1,7})/(s|m|h)\Z")
_RATE_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> dt.timedelta:
    """`5m` -> five minutes. Units: ms, s, m, h, d. Raises ValueError."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError("a duration is a number and a unit: 30s, 5m, 24h or 7d")
    return dt.timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})


def parse_rate(text: str) -> float:
    """`200/s` -> 200.0 requests a second. Units: s, m, h. Raises ValueError."""
    match = _RATE.match(text)
    if match is None or int(match.group(1)) == 0:
        raise ValueError("a rate is a number of requests and a unit: 200/s, 600/m or 10000/h")
    return int(match.group(1)) / _RATE_SECONDS[match.group(2)]


_CRON_FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)
_CRON_PART = re.compile(
    r"(?:\*|(?P<first>[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?)(?:/(?P<step>[0-9]{1,2}))?\Z"
)
_CRON_NAMES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST = dt.timedelta(days=999_999)


def parse_schedule(text: str) -> str:
    """A cron expression of five fields, or a name such as @hourly, as it is. Raises ValueError for one that never comes due."""
    if text in _CRON_NAMES:
        return text
    fields = text.split(" ")
    found = [_cron_field(part, *of) for part, of in zip(fields, _CRON_FIELDS, strict=False)]
    if len(fields) != 5 or not all(found):
        raise ValueError(
            f"a schedule is five fields (minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7; with *, lists, ranges and steps), or one of {', '.join(_CRON_NAMES)}"
        )
    if fields[4] == "*" and min(found[2]) > max(_DAYS[month - 1] for month in found[3]):
        raise ValueError("this schedule never comes due: the month has no such day")
    return text


def _cron_field(text: str, least: int, most: int, names: str) -> set[int]:
    """The values that a field stands for; none where it is not understood."""
    found: set[int] = set()
    for part in text.lower().split(","):
        match = _CRON_PART.match(part)
        if match is None:
            return set()
        numbers = [
            names.split().index(each) + least
            if each in names.split()
            else int(each)
            if each.isdigit()
            else -1
            for each in match.groups("")
            if each
        ]
        step = int(match["step"]) if match["step"] else 1
        first = numbers[0] if match["first"] else least
        last = (
            numbers[1] if match["last"] else first if match["first"] and not match["step"] else most
        )
        if not (least <= first <= last <= most and 1 <= step <= most):
            return set()
        found.update(range(first, last + 1, step))
    return found


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _not_too_long(value: dt.timedelta) -> dt.timedelta:
    if value > LONGEST:
        raise ValueError(f"a duration is at most {LONGEST.days}d")
    return value


def _not_zero(value: dt.timedelta) -> dt.timedelta:
    if not value:
        raise ValueError("must be longer than 0s")
    return value


def _rate(value: Any) -> float:
    return parse_rate(value if isinstance(value, str) else "")


def _duration_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["5m", "24h"]})


Duration = Annotated[
    dt.timedelta,
    BeforeValidator(_duration),
    AfterValidator(_not_too_long),
    _duration_schema(r"^[0-9]{1,9}(ms|s|m|h|d)$"),
]
Period = Annotated[
    dt.timedelta,
    BeforeValidator(_duration),
    AfterValidator(_not_too_long),
    AfterValidator(_not_zero),
    _duration_schema(r"^(?=[0-9]*[1-9])[0-9]{1,9}(ms|s|m|h|d)$"),
]
"""A duration that is not 0s."""

Rate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[1-9][0-9]{0,6}/(s|m|h)$", "examples": ["200/s"]}
    ),
]
Schedule = Annotated[
    str,
    AfterValidator(parse_schedule),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(@[a-z]+|[-0-9A-Za-z*,/]+( [-0-9A-Za-z*,/]+){4})$",
            "examples": ["*/15 * * * *", "@hourly"],
        }
    ),
]
