"""This process's clock, for all that is recorded; leases ask the state database's instead."""

from __future__ import annotations

import datetime as dt
import time


def now_us() -> int:
    """Unix microseconds. Tests replace it to let weeks pass."""
    return time.time_ns() // 1000


def utc_now() -> dt.datetime:
    """The moment, in UTC."""
    return dt.datetime.fromtimestamp(now_us() / 1_000_000, dt.UTC)


def moment_of(microseconds: int) -> dt.datetime:
    """Unix microseconds as a moment, in UTC."""
    return dt.datetime.fromtimestamp(microseconds / 1_000_000, dt.UTC)


def microseconds_of(moment: dt.datetime) -> int:
    """A moment as unix microseconds."""
    return int(moment.timestamp() * 1_000_000)
