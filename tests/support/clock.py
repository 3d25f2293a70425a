"""A clock for the connector and its warehouse that tests set, so that weeks pass at once."""

from __future__ import annotations

import datetime as dt

import pytest

from connector.source import survey
from connector.state import clock


class FakeClock:
    """Stands in for the clocks of this process and of the warehouse. now: in UTC."""

    def __init__(self, patch: pytest.MonkeyPatch, now: dt.datetime) -> None:
        self.now = now
        patch.setattr(clock, "now_us", lambda: clock.microseconds_of(self.now))
        patch.setattr(survey, "read_clock", lambda *_: self.now)

    def advance(self, **span: float) -> None:
        """Let time pass."""
        self.now += dt.timedelta(**span)

    def ago(self, **span: float) -> dt.datetime:
        """A moment in the past."""
        return self.now - dt.timedelta(**span)
