"""Durations and rates as people write them in YAML: `5m`, `24h`, `0s`, `200/s`."""

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


MAX_DURATION = dt.timedelta(days=999_999)


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _not_too_long(value: dt.timedelta) -> dt.timedelta:
    if value > MAX_DURATION:
        raise ValueError(f"a duration is at most {MAX_DURATION.days}d")
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
