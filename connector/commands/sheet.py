"""All destinations on one sheet: what became of conversions by day, why, and where each stands."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connector.commands.destinations import list_destinations
from connector.commands.moments import text_of_microseconds
from connector.commands.rejected import rejected
from connector.commands.report import ReportLine, report
from connector.commands.status import Status, status
from connector.config.destination import Destination
from connector.config.host import host_of
from connector.config.loader import destination_of
from connector.engine.context import open_context
from connector.errors import ConnectorError
from connector.state import runs
from connector.state.clock import microseconds_of

DAYS = 30
"""How far a sheet looks back where nothing else is said."""


@dataclass(frozen=True)
class ReasonLine:
    """Rows in quarantine for one reason.

    Attributes:
        reason: Our code, with the platform's where it has one.
        rows: How many.
        message: What it means, and what to do.
    """

    reason: str
    rows: int
    message: str | None


@dataclass(frozen=True)
class MatchLine:
    """The identifiers of one run.

    Attributes:
        at: When it ended, in UTC.
        shares: Identifier -> share of the run's rows that carry it.
    """

    at: str
    shares: dict[str, float]


@dataclass(frozen=True)
class Sheet:
    """One destination.

    Attributes:
        destination: Its name.
        platform: What its file says.
        status: Where it stands; None where it cannot be read.
        days: What became of its rows, by day.
        reasons: Why rows are in quarantine.
        matches: Identifiers of its runs, the oldest first.
        schedule: When it runs, as its host writes it; None where it has none.
        error: What cannot be read, and why.
    """

    destination: str
    platform: str
    status: Status | None = None
    days: Sequence[ReportLine] = field(default_factory=list)
    reasons: Sequence[ReasonLine] = field(default_factory=list)
    matches: Sequence[MatchLine] = field(default_factory=list)
    schedule: str | None = None
    error: str | None = None


def sheets(folder: Path | None, since: dt.datetime) -> list[Sheet]:
    """Look at all destinations of a project; one that cannot be read does not hide the others.

    Args:
        folder: Any folder of the project; default: the working directory.
        since: From when on.
    """
    return [
        _sheet(each.name, each.platform, each.target, since) for each in list_destinations(folder)
    ]


def _sheet(name: str, platform: str, target: str, since: dt.datetime) -> Sheet:
    try:
        destination = destination_of(target)
        where = status(destination)
    except ConnectorError as error:
        return Sheet(name, platform, error=str(error))
    try:
        days: Sequence[ReportLine] = report(destination, since=since)
        problem = None
    except ConnectorError as error:
        days, problem = [], str(error)
    return Sheet(
        name,
        platform,
        where,
        days,
        _reasons(destination, since),
        _matches(destination, since),
        host_of(destination.yaml_type).schedule(destination),
        problem,
    )


def _reasons(destination: Destination, since: dt.datetime) -> list[ReasonLine]:
    counted: Counter[str] = Counter()
    messages: dict[str, str | None] = {}
    for row in rejected(destination, since=since):
        reason = f"{row.reason} {row.code}" if row.code else row.reason
        counted[reason] += 1
        messages.setdefault(reason, row.message)
    return [ReasonLine(reason, rows, messages[reason]) for reason, rows in counted.most_common()]


def _matches(destination: Destination, since: dt.datetime) -> list[MatchLine]:
    with open_context(destination) as context, context.store.read() as connection:
        found = runs.tallied(connection, context.destination_id, "match", microseconds_of(since))
    return [
        MatchLine(
            text_of_microseconds(run.ended_at) or "",
            {name: min(count / run.rows_read, 1.0) for name, count in run.counts.items()},
        )
        for run in found
        if run.rows_read
    ]
