"""How long a platform asks to wait, and the caps on it.

Headers are read tolerantly: one that makes no sense counts as absent.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Mapping

MAX_WAIT = 24 * 3600.0
"""Seconds; anything that asks for more is taken as this much."""

MAX_WAIT_IN_RUN = 60.0
"""Seconds; where a platform asks for more, the run ends and remembers until when."""

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,6})?\Z")
_DRAFT = re.compile(r"(?:^|[;,\s])(?:t|reset)=(\d{1,9})")


def wait_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait, between 0 and `MAX_WAIT`, or None where no header says so.

    `Retry-After` wins, as whole or decimal seconds or as an HTTP date; then `X-RateLimit-Reset`
    as a delta, unix seconds or unix milliseconds; then the draft `RateLimit: ...;t=`.

    Args:
        headers: with lower-case names.
        now: unix seconds.
    """
    after = headers.get("retry-after")
    if after is not None:
        seconds = _seconds_or_date(after.strip(), now)
        if seconds is not None:
            return min(seconds, MAX_WAIT)
    reset = headers.get("x-ratelimit-reset") or headers.get("x-rate-limit-reset")
    if reset is not None and _NUMBER.match(reset.strip()):
        delta = _from_reset(float(reset), now)
        if delta is not None:
            return delta
    draft = _DRAFT.search(headers.get("ratelimit", ""))
    return min(float(draft.group(1)), MAX_WAIT) if draft else None


def asks_to_retry(headers: Mapping[str, str], now: float) -> bool:
    """Return whether there is a `Retry-After` that makes sense. Arguments as of `wait_seconds`."""
    after = headers.get("retry-after")
    return after is not None and _seconds_or_date(after.strip(), now) is not None


def _seconds_or_date(text: str, now: float) -> float | None:
    if _NUMBER.match(text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return max(moment.timestamp() - now, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def _from_reset(value: float, now: float) -> float | None:
    """Read a delta, or a moment in seconds or milliseconds, within the next `MAX_WAIT`."""
    for delta in (value, value - now, value / 1000 - now):
        if 0 <= delta <= MAX_WAIT:
            return delta
    return None
