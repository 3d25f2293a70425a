"""Every row behind the watermark, compared with the ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from connector.config.loader import Target, destination_of
from connector.engine.bounds import place_before
from connector.engine.context import RunContext, open_context
from connector.engine.horizon import MARGIN, horizon
from connector.engine.pipeline import Progress
from connector.engine.plan import Options, Slice
from connector.engine.registration import register
from connector.engine.report import Report
from connector.engine.run import prepare, run
from connector.errors import ConfigError
from connector.model import Mark, Range


@dataclass(frozen=True)
class Reconciliation:
    """What was found behind the watermark.

    Attributes:
        rows: Rows in the window.
        missing: How many of them have no record, and were never delivered.
        report: Of the run that sent them.
        beyond_ledger: How many have no record, and may have been delivered before the horizon.
    """

    rows: int
    missing: int
    report: Report | None
    beyond_ledger: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `capi reconcile --json` prints it; `beyond_ledger` is there where it is not 0."""
        found = {"rows": self.rows, "missing": self.missing}
        if self.beyond_ledger:
            found["beyond_ledger"] = self.beyond_ledger
        return {**found, "sent": None if self.report is None else self.report.to_json()}


def reconcile(
    target: Target,
    *,
    since: dt.datetime | None = None,
    send: bool = False,
    yes: bool = False,
    run_id: str | None = None,
    progress: Progress | None = None,
    state: str | None = None,
) -> Reconciliation:
    """Compare every row behind the watermark with the ledger.

    Args:
        target: The destination, or the path of its YAML file.
        since: Cursor time from which rows are compared; default: the whole age window.
        send: Deliver what is missing.
        yes: Deliver also what may have been delivered before the horizon.
        run_id: Name of the run that delivers; default: a new one.
        progress: Notified of rows that are settled.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: `since` was given, and the cursor is not a time.
    """
    with open_context(destination_of(target), state=state) as context:
        register(context)
        after = context.watermark()
        if after is None:
            return Reconciliation(0, 0, None)
        window = Range.behind(after, _window_start(context, after, since))
        found = context.page_builder(horizon=horizon(context)).count_missing(window)
        if not send or not (found.missing or found.beyond_ledger):
            return Reconciliation(found.rows, found.missing, None, found.beyond_ledger)

        def cut(_context: RunContext, _after: Mark | None, _options: Options) -> list[Slice]:
            return [Slice(0, "missing", window.after, window.upto, window.before)]

        planned = prepare(
            context, Options(yes=yes), "reconcile", cut, run_id=run_id, progress=progress
        )
        report = run(context, planned, progress)
        return Reconciliation(found.rows, found.missing, report, found.beyond_ledger)


def _window_start(context: RunContext, after: Mark, since: dt.datetime | None) -> Mark | None:
    """Where the window begins: as asked for, or where the platform would still accept a row."""
    cursor = context.cursor()
    if cursor is None:
        return None
    if since is not None:
        if not cursor.is_time:
            raise ConfigError(f"{context.name}: --since needs a cursor that is a time")
        return Mark(cursor.text_of(since))
    model, windows = context.destination.model, context.destination.platform.windows
    ages = [age for age in (windows.max_age, *windows.max_age_by.values()) if age is not None]
    span = max(model.privacy.retention, model.source.lookback, *ages) + MARGIN
    return place_before(context, cursor, after, span)
