"""The connector's checks as checks of a destination's asset."""

from __future__ import annotations

import dagster as dg

from connector import Destination, Report
from connector.engine import checks

SEVERITY = {"warn": dg.AssetCheckSeverity.WARN, "error": dg.AssetCheckSeverity.ERROR}


def check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of an asset."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=text)
        for name, text in checks.DESCRIBED.items()
    ]


def check_results(
    destination: Destination, key: dg.AssetKey, report: Report
) -> list[dg.AssetCheckResult]:
    """What the checks say of a run."""
    return [
        dg.AssetCheckResult(
            asset_key=key,
            check_name=each.name,
            passed=each.passed,
            severity=SEVERITY[each.severity],
            metadata={**each.facts, **({"advice": each.message} if each.message else {})},
        )
        for each in checks.check_results(destination, report)
    ]
