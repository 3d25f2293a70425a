"""A report as Dagster metadata and asset checks. Only numbers, codes and times: never a value of a row."""

from __future__ import annotations

from typing import Any

import dagster as dg

from connector.config.destination import Destination
from connector.config.models import Threshold
from connector.engine.report import COUNTS, Report

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR

TABLES = {
    "rejected_by_reason": ("rejected", "reason", "rows"),
    "values_left_out": ("dropped", "column_and_reason", "rows"),
    "http_statuses": ("status", "status", "requests"),
    "told_later": ("later", "result", "records"),
    "pages_sent_again": ("resent", "compared", "pages"),
}
"""Table -> the tally that it shows, and the names of its columns."""


def metadata_of(report: Report) -> dict[str, Any]:
    """Numbers that the UI plots, and tables of reasons and statuses."""
    numbers: dict[str, Any] = {name: getattr(report, name) for name in (*COUNTS, "changed")}
    if report.unsent:
        numbers["would_be_sent"] = report.unsent
    numbers["seconds"] = report.seconds
    numbers["rows_per_second"] = (
        round(report.rows_read / report.seconds, 1) if report.seconds else 0.0
    )
    numbers["lag_seconds"] = float(report.facts.get("lag_seconds") or 0.0)
    numbers["dagster/row_count"] = report.delivered
    numbers |= {
        name: int(value)
        for name, value in report.facts.items()
        if name != "lag_seconds" and value is not None
    }
    shown = {
        title: _table(report.tallies[kind], *columns)
        for title, (kind, *columns) in TABLES.items()
        if report.tallies.get(kind)
    }
    marks = {
        name: value
        for name, value in (("mark_from", report.mark_from), ("mark_to", report.mark_to))
        if value is not None
    }
    return {**numbers, **shown, **marks, "run_id": report.run_id}


def _table(counts: dict[str, int], column: str, counted: str) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn(column), dg.TableColumn(counted, "int")])
    return dg.MetadataValue.table(
        [dg.TableRecord({column: name, counted: number}) for name, number in counts.items()], schema
    )


def failure_message(destination: Destination, report: Report) -> str:
    """Why a run failed, for the person who must act."""
    if report.failure is not None:
        return report.failure.message
    reasons = ", ".join(
        f"{name}: {number}" for name, number in report.tallies.get("rejected", {}).items()
    )
    return f"all {report.rejected} rows were rejected ({reasons}); `capi rejected {destination.name}` lists them"


def check_specs(destination: Destination, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of a destination's asset."""
    described = {
        "reconciled": "every row that was read ended in exactly one state",
        "rejection_rate": "share of rows that were rejected",
        "late_rows": "rows that were committed behind the mark, and found by looking back",
        "match_keys": "share of delivered rows that carry each identifier",
        "lag": "age of the oldest row that waited",
    }
    return [
        dg.AssetCheckSpec(name, asset=key, description=text) for name, text in described.items()
    ]


def check_results(
    destination: Destination, key: dg.AssetKey, report: Report
) -> list[dg.AssetCheckResult]:
    """What the checks say of a report."""
    checks = destination.model.checks
    accounted = report.delivered + report.rejected + report.expired + report.suppressed
    lag = float(report.facts.get("lag_seconds") or 0.0)
    return [
        _result(
            key,
            "reconciled",
            report.reconciled or report.failure is not None,
            ERROR,
            {"rows_read": report.rows_read, "accounted_for": accounted},
        ),
        _against(key, "rejection_rate", report.rejection_rate, checks.rejection_rate),
        _against(key, "late_rows", float(report.late), checks.late_rows),
        _match_keys(key, checks.match_keys, report),
        _result(
            key,
            "lag",
            checks.lag is None or lag <= checks.lag.total_seconds(),
            WARN,
            {"lag_seconds": lag},
        ),
    ]


def _match_keys(key: dg.AssetKey, least: dict[str, float], report: Report) -> dg.AssetCheckResult:
    rows = max(report.delivered, 1)
    shares = {
        name: round(number / rows, 4) for name, number in report.tallies.get("match", {}).items()
    }
    poor = [
        name for name, share in least.items() if report.delivered and shares.get(name, 0.0) < share
    ]
    return _result(key, "match_keys", not poor, WARN, dict(shares))


def _against(key: dg.AssetKey, name: str, value: float, limits: Threshold) -> dg.AssetCheckResult:
    failed = limits.fail is not None and value > limits.fail
    warned = limits.warn is not None and value > limits.warn
    return _result(key, name, not (failed or warned), ERROR if failed else WARN, {name: value})


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
