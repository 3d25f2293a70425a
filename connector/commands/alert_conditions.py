"""What is wrong with a destination, by what the state knows of its last runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.engine import Connection

from connector.config.destination import Destination
from connector.engine.checks import check_results, lag_limit
from connector.engine.context import RunContext
from connector.engine.report import COUNTS, Report
from connector.state import quarantine, runs
from connector.state.clock import microseconds_of, moment_of

Kind = Literal["failing", "credentials", "systemic", "rejection_rate", "lag", "quarantine"]

HEADLINES: dict[Kind, tuple[str, str]] = {
    "failing": ("is failing", "delivers again"),
    "credentials": (
        "is refused by the platform: its token must be renewed",
        "is accepted by the platform again",
    ),
    "systemic": ("is refused by the platform as a whole", "is accepted by the platform again"),
    "rejection_rate": ("has too many rows rejected", "has a usual share of rows rejected again"),
    "lag": ("lags behind", "has caught up"),
    "quarantine": ("has a growing quarantine", "has a quarantine that grows no more than usual"),
}
"""Kind -> what is said of a destination when it begins, and when it is over."""

CRITICAL: tuple[Kind, ...] = ("failing", "credentials", "systemic", "lag")
"""Kinds that are so whatever the checks say."""

FEWEST_QUARANTINED = 20
"""Rows of a day below which a quarantine does not count as growing."""

_ERRORS = {"rejection_rate", "reconciled", "completeness"}
"""Checks that begin an alert where a run fails them."""

_DAYS = 7
_STREAK = 50
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong.

    Attributes:
        kind: What.
        since: From when on.
        cause: Sentences on what happened and what to do.
        is_red: Whether a check is red, which makes its run bad.
    """

    kind: Kind
    since: dt.datetime
    cause: str
    is_red: bool = False

    @property
    def is_critical(self) -> bool:
        """Whether somebody must act: exit code and asset say the same."""
        return self.is_red or self.kind in CRITICAL


@dataclass(frozen=True)
class LastRun:
    """The last run that ended.

    Attributes:
        run_id: Its name.
        counts: Its counts, as reports have them.
    """

    run_id: str
    counts: dict[str, int]


def last_run(context: RunContext) -> LastRun | None:
    """The last run that ended; None before the first."""
    with context.store.read() as connection:
        row = next(iter(_ended(connection, context.destination_id)), None)
    if row is None:
        return None
    return LastRun(row["run_id"], {name: row[name] for name in COUNTS})


def conditions(context: RunContext) -> list[Condition]:
    """All that is wrong now; empty while all is well, and before the first run."""
    with context.store.read() as connection:
        found = _conditions(connection, context.destination_id, context.destination, _now(context))
        return list({each.kind: each for each in found}.values())


def _conditions(
    connection: Connection, number: int, destination: Destination, now: int
) -> Iterator[Condition]:
    ended = _ended(connection, number)
    if not ended:
        return
    last = ended[0]
    if last["status"] != "complete":
        tallies = runs.tallies(connection, last["run_id"])
        yield Condition(_kind_of_failure(last, tallies), _begun(ended), last["failure"] or _UNKNOWN)
    else:
        yield from _red(connection, number, destination)
    yield from _stuck(connection, number, destination, now)
    yield from _growing(connection, number, destination, now)


_UNKNOWN = "the last run ended early; its log says more"


def _kind_of_failure(last: dict[str, Any], tallies: dict[str, dict[str, int]]) -> Kind:
    if last["status"] == "failed" and {"401", "403"} & tallies.get("status", {}).keys():
        return "credentials"
    return "systemic" if last["failure_kind"] == "EndpointError" else "failing"


def _red(connection: Connection, number: int, destination: Destination) -> Iterator[Condition]:
    """Checks of runs that ended as they should, and are bad all the same.

    Of each check the last answer counts: a run that says nothing of it, such as an idle one, does
    not end what an earlier one began.
    """
    answered: set[str] = set()
    for row in runs.latest_with_rows(connection, number, _STREAK):
        report = Report(
            row["run_id"],
            **{name: row[name] for name in COUNTS},
            tallies=runs.tallies(connection, row["run_id"]),
        )
        since = moment_of(row["started_at"])
        results = [each for each in check_results(destination, report) if each.name not in answered]
        for each in results:
            if each.passed:
                continue
            if each.name == "rejection_rate":
                yield Condition("rejection_rate", since, each.message, each.severity == "error")
            elif each.severity == "error":
                yield Condition("failing", since, each.message)
        answered |= {each.name for each in results}
        if answered >= _ERRORS:
            return


def _stuck(
    connection: Connection, number: int, destination: Destination, now: int
) -> Iterator[Condition]:
    """No run came to its end for longer than rows may wait."""
    limit = lag_limit(destination)
    reached = runs.last_complete(connection, number)
    if limit is None or reached is None or now - reached <= limit / dt.timedelta(microseconds=1):
        return
    yield Condition(
        "lag",
        moment_of(reached),
        f"no run was completed for longer than {limit}; see that its schedule is on and that"
        f" something runs it. `capi status {destination.name}` shows the last runs",
    )


def _growing(
    connection: Connection, number: int, destination: Destination, now: int
) -> Iterator[Condition]:
    """More rows came into the quarantine within a day than in any of the seven days before."""
    added = [
        quarantine.added(connection, number, now - (day + 1) * _DAY, now - day * _DAY)
        for day in range(_DAYS + 1)
    ]
    if added[0] < FEWEST_QUARANTINED or added[0] <= max(added[1:]):
        return
    yield Condition(
        "quarantine",
        moment_of(now - _DAY),
        f"{added[0]:,} rows were rejected within a day, more than in any of the {_DAYS} days"
        f" before; `capi rejected {destination.name}` lists them with their reasons",
    )


def _begun(ended: list[dict[str, Any]]) -> dt.datetime:
    """When the runs began to fail."""
    first = ended[0]
    for each in ended:
        if each["status"] == "complete":
            break
        first = each
    return moment_of(first["started_at"])


def _ended(connection: Connection, number: int) -> list[dict[str, Any]]:
    latest = runs.latest(connection, number, _STREAK)
    return [row for row in latest if row["status"] != "running"]


def _now(context: RunContext) -> int:
    return microseconds_of(context.clock())
