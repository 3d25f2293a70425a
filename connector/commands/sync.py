"""Deliver what waits, once. Here the reading of a run begins.

    lease       state/lease.py: one runner a destination, with a fencing token
    plan        engine/guards.py may refuse; engine/recovery.py settles what a killed run left;
                engine/planner.py cuts what waits into slices
    read        source/reader.py, in (cursor, key) order; engine/dedupe.py drops settled rows
    normalise   mapping/serializer.py, with identifiers/
    encode      mapping/template.py; engine/page_builder.py cuts pages and batches
    send        delivery/sender.py; delivery/response.py turns answers into verdicts
    record      engine/checkpoint.py: verdicts, ledger, quarantine and watermark
    commit      ... in one transaction
    report      engine/report.py

`engine/run.py` calls them in this order.
"""

from __future__ import annotations

from connector.commands.decisions import record_options
from connector.config.loader import Target, destination_of
from connector.engine.context import open_context
from connector.engine.pipeline import Progress
from connector.engine.plan import Options
from connector.engine.planner import plan_slices
from connector.engine.report import Report
from connector.engine.run import prepare, run
from connector.engine.unrecorded import expect_waiting, in_mode, is_recorded, run_unrecorded


def sync(
    target: Target,
    *,
    options: Options = Options(),  # noqa: B008  frozen
    run_id: str | None = None,
    progress: Progress | None = None,
    state: str | None = None,
) -> Report:
    """Deliver what waits behind the watermark.

    Args:
        target: The destination, or the path of its YAML file.
        options: How this run differs from the schedule's.
        run_id: Its name; default: a new one.
        progress: Notified of rows that wait and rows that are settled.
        state: SQLAlchemy URL of the state database; default: CAPI_STATE_URL, or SQLite under
            `.capi/`.

    Returns:
        What was done. A run that ended early says why in `failure`.

    Raises:
        ConfigError, LeaseHeld, GuardRail, Postponed, WarehouseError: The run could not begin.
    """
    destination = in_mode(destination_of(target), options)
    with open_context(destination, state=state) as context:
        if not is_recorded(destination, options):
            return run_unrecorded(context, options, progress)
        record_options(context, options)
        planned = prepare(context, options, "sync", plan_slices, run_id=run_id, progress=progress)
        expect_waiting(context, options, progress)
        return run(context, planned, progress)
