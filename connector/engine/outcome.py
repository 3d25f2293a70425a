"""Is a run bad? The one answer that exit code, orchestrator, checks and alert give."""

from __future__ import annotations

from collections.abc import Iterator

from connector.config.destination import Destination
from connector.engine.report import Report, RunFailure


def problem_of(destination: Destination, report: Report) -> RunFailure | None:
    """Why a run is bad; None where nothing is wrong.

    It ended early, or one of its checks is red.
    """
    if report.failure is not None or not report.complete:
        return report.failure or RunFailure("RunStopped", "the run ended early", 1)
    message = next(iter(red_checks(destination, report).values()), None)
    return None if message is None else RunFailure("CheckFailed", message, 1)


def red_checks(destination: Destination, report: Report) -> dict[str, str]:
    """The checks that make a run bad -> a sentence."""
    return dict(_red_checks(destination, report))


def _red_checks(destination: Destination, report: Report) -> Iterator[tuple[str, str]]:
    checks, listing = destination.model.checks, f"`capi rejected {destination.name}` lists them"
    most = checks.rejection_rate.fail
    if report.all_rejected or (most is not None and report.rejection_rate > most):
        share = f"{report.rejected} of {report.rows_read} rows were rejected"
        reasons = report.tallies.get("rejected", {})
        named = ", ".join(f"{reason}: {number}" for reason, number in reasons.items())
        yield "rejection_rate", f"{share}{f' ({named})' if named else ''}; {listing}"
    most = checks.late_rows.fail
    if most is not None and report.late > most:
        yield (
            "late_rows",
            (
                f"rows that were committed behind the high-water mark: {report.late}, where"
                f" checks.late_rows.fail allows {most:g}; they were delivered. Set a longer"
                " source.lag"
            ),
        )
    if report.complete and not report.reconciled:
        yield (
            "reconciled",
            (
                f"of {report.rows_read} rows that were read, not every one ended in exactly one"
                " state; please report this"
            ),
        )
