"""Moments as results show them."""

from __future__ import annotations

import datetime as dt

from connector.state.clock import moment_of


def text_of_moment(moment: dt.datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def text_of_microseconds(microseconds: int | None) -> str | None:
    """Unix microseconds as a moment in UTC, to the second."""
    return None if microseconds is None else text_of_moment(moment_of(microseconds))
