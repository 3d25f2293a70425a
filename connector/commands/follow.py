"""Deliver rows as they are committed, until somebody ends it: `capi sync NAME --follow 1s`."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

from connector.config.loader import Target, destination_of
from connector.engine.context import open_context
from connector.engine.follow import Follower
from connector.engine.plan import Options
from connector.engine.report import Report
from connector.engine.unrecorded import is_recorded
from connector.errors import ConfigError


def follow(
    target: Target,
    *,
    every: dt.timedelta,
    stop: threading.Event,
    on_report: Callable[[Report], None],
    options: Options = Options(),  # noqa: B008  frozen
    state: str | None = None,
) -> Report:
    """Deliver what waits again and again, with state, warehouse and connections held open.

    Warehouse, platform or state that cannot be reached are waited for, longer each time.

    Args:
        target: The destination, or the path of its YAML file.
        every: From the beginning of one look for new rows to that of the next.
        stop: Once it is set, requests under way are answered and recorded, and this returns.
        on_report: Called with a report each minute, at each failure, and at the end.
        options: How its runs differ from the schedule's; only `yes` may be given.
        state: SQLAlchemy URL of the state database; default: CAPI_STATE_URL, or SQLite under
            `.capi/`.

    Returns:
        The last report. Its `failure` says why, where it was not `stop` that ended it.

    Raises:
        ConfigError, StateMismatch, GuardRail: Nothing is sent before a person changes something.
    """
    destination = destination_of(target)
    if options != Options(yes=options.yes):
        raise ConfigError("what follows new rows takes no option but yes")
    if not is_recorded(destination, options):
        raise ConfigError(
            f"{destination.name}: test mode records nothing, so the same rows would be sent again"
            " and again; take test_mode away, or run `capi sync` without --follow"
        )
    if not every:
        raise ConfigError("the time between two looks for new rows must be longer than 0s")
    with open_context(destination, state=state) as context:
        return Follower(context, options, every.total_seconds(), stop, on_report).follow()
