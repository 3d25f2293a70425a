"""A destination with a row in every state."""

from __future__ import annotations

import datetime as dt

from connector.commands.erase import erase
from connector.commands.sync import sync
from connector.config.destination import Destination
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion

EARLY, LATE = ago(days=4), ago(days=2)
"""The days that rows belong to."""


def rows_in_every_state(project: Project, duck: DuckDb, make: Make) -> Destination:
    """On the early day: c1, c2 delivered, c3 rejected, c4 expired, c8 missing.

    On the late day: c5 delivered, c6 suppressed, c7 erased (delivered before). c9 waits for the
    lag. c2 and c6 are leads.
    """
    project.query("select *, conversion_id <> 'c000006' as consent from conversions")
    early = EARLY.replace(hour=12)
    late = LATE.replace(hour=12)
    duck.insert(
        conversion(1, updated_at=early),
        conversion(2, updated_at=early, event_name="Lead"),
        conversion(3, updated_at=early, email=None),
        conversion(4, updated_at=early, event_time=ago(days=200)),
        conversion(5, updated_at=late),
        conversion(6, updated_at=late, event_name="Lead"),
        conversion(7, updated_at=late + dt.timedelta(minutes=1)),
    )
    made = make(overrides={"windows": {"max_age": "90d"}}, source__lookback="1h")
    sync(made)
    erase(made, key=("c000007",))
    duck.insert(conversion(8, updated_at=early), conversion(9, updated_at=ago(seconds=5)))
    return made
