"""The checks of a run: what each looks at, its limits, and whether it is green, yellow or red."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from connector.config.destination import Destination
from connector.config.host import host_of
from connector.config.models import Threshold
from connector.engine.outcome import red_checks
from connector.engine.report import Report
from connector.state.clock import utc_now

Severity = Literal["warn", "error"]

DESCRIBED = {
    "reconciled": "every row that was read ended in exactly one state",
    "rejection_rate": "share of rows that were rejected",
    "late_rows": "rows that were committed behind the high-water mark, and found by looking back",
    "match_keys": "share of delivered rows that carry each identifier, against its limit and"
    " against its own median of the last ten runs",
    "lag": "age of the oldest row that waited",
    "completeness": "rows of the last closed days in the warehouse, each of which must be recorded",
    "receipt": "final results that the platform tells after it accepted the requests",
    "api_version": "the platform's API version is not within 60 days of its end",
    "watermark_ahead": "whether the high-water mark stands beyond the last row of the source",
}
"""Check -> what it looks at."""

OF_ROWS = ("rejection_rate", "late_rows", "match_keys")
"""Checks of which a run that read no row says nothing."""

INTERVALS = 3
"""Schedule intervals that a row may wait where the YAML gives no limit of lag."""

SHORTEST_LAG = dt.timedelta(minutes=15)
"""Of that limit: a run takes its time too."""

ROWS_FOR_A_FALL = 50
"""Delivered rows below which a share of an identifier says nothing."""


@dataclass(frozen=True)
class CheckResult:
    """What a check says of a run.

    Attributes:
        name: One of `DESCRIBED`.
        passed: Whether it is green.
        severity: How bad it is where it did not pass.
        facts: What it looked at: numbers and codes.
        message: What is wrong and what to do, where it did not pass.
    """

    name: str
    passed: bool
    severity: Severity = "warn"
    facts: dict[str, Any] = field(default_factory=dict)
    message: str = ""


def check_results(destination: Destination, report: Report) -> list[CheckResult]:
    """What the checks say of a run, in the order of `DESCRIBED`.

    A check that a run says nothing of is left out, so that the last answer stays: an idle run does
    not turn a share of refused rows green.
    """
    red = red_checks(destination, report)
    found = {each.name: each for each in _results(destination, report, red) if each is not None}
    silent = () if report.rows_read else OF_ROWS
    return [found[name] for name in DESCRIBED if name in found and name not in silent]


def lag_limit(destination: Destination) -> dt.timedelta | None:
    """How long a row may wait: `checks.lag`, or three intervals of the schedule.

    The longest interval counts: a schedule for working days has one of three days. Rows wait for
    `source.lag` in any case.

    Returns:
        None where the YAML says neither.
    """
    given = destination.model.checks.lag
    if given is not None:
        return given
    interval = host_of(destination.yaml_type).interval(destination)
    if interval is None:
        return None
    return max(INTERVALS * interval, SHORTEST_LAG) + destination.model.source.lag


def _results(
    destination: Destination, report: Report, red: dict[str, str]
) -> Iterator[CheckResult | None]:
    checks = destination.model.checks
    accounted = report.delivered + report.rejected + report.expired + report.suppressed
    yield CheckResult(
        "reconciled",
        "reconciled" not in red,
        "error",
        {"rows_read": report.rows_read, "accounted_for": accounted},
        red.get("reconciled", ""),
    )
    yield _threshold("rejection_rate", report.rejection_rate, checks.rejection_rate, red)
    yield _threshold("late_rows", float(report.late), checks.late_rows, red)
    yield _match_keys(destination, report)
    yield _lag(destination, report)
    yield _completeness(destination, report)
    yield _receipt(destination, report)
    yield _api_version(destination)
    ahead = report.watermark_ahead
    yield CheckResult(
        "watermark_ahead",
        not ahead,
        "warn",
        {"watermark": report.mark_to or report.mark_from or ""},
        f"the high-water mark stands beyond the last row; `capi status {destination.name}` shows"
        " both"
        if ahead
        else "",
    )


def _threshold(name: str, value: float, limits: Threshold, red: dict[str, str]) -> CheckResult:
    """Red where that makes the run bad, yellow above `warn`."""
    warned = limits.warn is not None and value > limits.warn
    message = red.get(name) or (f"{name} is {value:g}, above {limits.warn:g}" if warned else "")
    severity: Severity = "error" if name in red else "warn"
    return CheckResult(name, not message, severity, {name: value}, message)


def _match_keys(destination: Destination, report: Report) -> CheckResult:
    checks = destination.model.checks
    rows = max(report.delivered, 1)
    counted = report.tallies.get("match", {})
    shares = {name: round(number / rows, 4) for name, number in counted.items()}
    poor = [
        f"{name} {shares.get(name, 0.0):.0%} of {least:.0%}"
        for name, least in checks.match_keys.items()
        if report.delivered and shares.get(name, 0.0) < least
    ]
    fallen = [
        f"{name} {shares.get(name, 0.0):.0%}, usually {median:.0%}"
        for name, median in report.usual_match.items()
        if report.delivered >= ROWS_FOR_A_FALL
        and _has_fallen(shares.get(name, 0.0), median, report.delivered, checks.match_keys_fall)
    ]
    facts: dict[str, Any] = dict(shares)
    facts |= {f"usual {name}": round(share, 4) for name, share in report.usual_match.items()}
    message = (
        f"fewer rows than expected carry an identifier ({'; '.join([*poor, *fallen])}); look at the"
        f" query, and run `capi lint-identifiers {destination.name}`"
        if poor or fallen
        else ""
    )
    return CheckResult("match_keys", not message, "warn", facts, message)


def _has_fallen(share: float, median: float, rows: int, fall: float) -> bool:
    """Whether a share is lower than usual by more than `fall`, and by more than chance.

    Chance: three standard errors of a share of so many rows.
    """
    chance = 3 * (median * (1 - median) / rows) ** 0.5
    return share < median * (1 - fall) and share < median - chance


def _lag(destination: Destination, report: Report) -> CheckResult:
    limit, lag = lag_limit(destination), float(report.facts.get("lag_seconds") or 0.0)
    facts: dict[str, Any] = {"lag_seconds": lag}
    if limit is None:
        return CheckResult("lag", True, "error", facts)
    facts["limit_seconds"] = limit.total_seconds()
    if lag <= limit.total_seconds():
        return CheckResult("lag", True, "error", facts)
    waited = dt.timedelta(seconds=round(lag))
    return CheckResult(
        "lag",
        False,
        "error",
        facts,
        f"when this run began, the oldest row had waited for {waited}, longer than {limit};"
        f" `capi status {destination.name}` shows the last runs",
    )


def _completeness(destination: Destination, report: Report) -> CheckResult | None:
    counted = report.tallies.get("completeness")
    if counted is None:
        return None
    rows, missing = counted.get("rows", 0), counted.get("missing", 0)
    message = (
        f"{missing} of {rows} rows of the two days before source.lookback have no record: they were"
        f" committed later than that. `capi reconcile {destination.name} --send` delivers them; a"
        " longer source.lookback finds the next ones"
        if missing
        else ""
    )
    return CheckResult(
        "completeness", not missing, "error", {"rows": rows, "missing": missing}, message
    )


def _receipt(destination: Destination, report: Report) -> CheckResult | None:
    poll = destination.platform.answers.poll
    if poll is None:
        return CheckResult("receipt", True, "warn", {"told": "at once, with each answer"})
    counted = report.tallies.get("later")
    if counted is None:
        return None
    known = {f"result {state}" for state in (*poll.success, *poll.pending)}
    wrong = {name: number for name, number in counted.items() if poll.success and name not in known}
    named = ", ".join(f"{name}: {number}" for name, number in wrong.items())
    message = (
        f"the platform accepted requests and refused records of them later ({named}); it does not"
        " say which ones"
        if wrong
        else ""
    )
    return CheckResult("receipt", not wrong, "warn", dict(counted), message)


def _api_version(destination: Destination) -> CheckResult:
    platform = destination.platform
    warning = platform.version_warning(utc_now().date())
    facts = {
        "version": platform.version or "none",
        "retires": str(platform.version_end or "not announced"),
    }
    return CheckResult("api_version", warning is None, "warn", facts, warning or "")
