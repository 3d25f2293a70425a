"""The checks of a destination's asset, and how severe each is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dagster as dg

from connector import Destination, Report
from connector.config.models import Threshold
from connector.engine.outcome import red_checks
from connector.state.clock import utc_now

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR

DESCRIBED = {
    "reconciled": "every row that was read ended in exactly one state",
    "rejection_rate": "share of rows that were rejected",
    "late_rows": "rows that were committed behind the high-water mark, and found by looking back",
    "match_keys": "share of delivered rows that carry each identifier",
    "lag": "age of the oldest row that waited",
    "api_version": "the platform's API version is not within 60 days of its end",
    "watermark_ahead": "whether the high-water mark stands beyond the last row of the source",
}
"""Check -> what it looks at."""


def check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of an asset."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=text) for name, text in DESCRIBED.items()
    ]


def check_results(
    destination: Destination, key: dg.AssetKey, report: Report
) -> list[dg.AssetCheckResult]:
    """The results of all asset checks, from the report of a run.

    Args:
        destination: Its YAML has thresholds and severities.
        key: Of the asset.
        report: Of the run.
    """
    checks, red = destination.model.checks, red_checks(destination, report)
    accounted = report.delivered + report.rejected + report.expired + report.suppressed
    lag = float(report.facts.get("lag_seconds") or 0.0)
    return [
        _result(
            key,
            "reconciled",
            "reconciled" not in red,
            ERROR,
            {"rows_read": report.rows_read, "accounted_for": accounted},
        ),
        _threshold(key, "rejection_rate", report.rejection_rate, checks.rejection_rate, red),
        _threshold(key, "late_rows", float(report.late), checks.late_rows, red),
        _match_keys(key, checks.match_keys, report),
        _result(
            key,
            "lag",
            checks.lag is None or lag <= checks.lag.total_seconds(),
            WARN,
            {"lag_seconds": lag},
        ),
        _api_version(destination, key),
        _result(
            key,
            "watermark_ahead",
            not report.watermark_ahead,
            WARN,
            {"watermark": report.mark_to or report.mark_from or ""},
        ),
    ]


def _api_version(destination: Destination, key: dg.AssetKey) -> dg.AssetCheckResult:
    platform = destination.platform
    warning = platform.version_warning(utc_now().date())
    facts = {
        "version": platform.version or "none",
        "retires": str(platform.version_end or "not announced"),
    }
    metadata = {**facts, **({"advice": warning} if warning else {})}
    return _result(key, "api_version", warning is None, WARN, metadata)


def _match_keys(key: dg.AssetKey, least: dict[str, float], report: Report) -> dg.AssetCheckResult:
    rows = max(report.delivered, 1)
    shares = {
        name: round(number / rows, 4) for name, number in report.tallies.get("match", {}).items()
    }
    poor = [
        name for name, share in least.items() if report.delivered and shares.get(name, 0.0) < share
    ]
    return _result(key, "match_keys", not poor, WARN, dict(shares))


def _threshold(
    key: dg.AssetKey, name: str, value: float, limits: Threshold, red: Collection[str]
) -> dg.AssetCheckResult:
    """Red where that makes the run bad, yellow above `warn`."""
    warned = limits.warn is not None and value > limits.warn
    passed, severity = not (name in red or warned), ERROR if name in red else WARN
    return _result(key, name, passed, severity, {name: value})


def _result(
    key: dg.AssetKey,
    name: str,
    passed: bool,
    severity: dg.AssetCheckSeverity,
    metadata: dict[str, Any],
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key, check_name=name, passed=passed, severity=severity, metadata=metadata
    )
