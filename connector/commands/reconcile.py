"""Every row behind the watermark, compared with the ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from connector.config.loader import Target, destination_of
from connector.engine.bounds import place_before
from connector.engine.context import RunContext, open_context
from connector.engine.pipeline import Progress
from connector.engine.plan import Options, Slice
from connector.engine.registration import register
from connector.engine.report import Report
from connector.engine.retention import oldest_needed
from connector.engine.run import prepare, run
from connector.errors import ConfigError
from connector.model import Mark, Range


@dataclass(frozen=True)
class Reconciliation:
    """What was found behind the watermark.

    Attributes:
        rows: Rows in the window.
        missing: How many of them have no record.
        report: Of the run that sent them.
    """

    rows: int
    missing: int
    report: Report | None

    def to_json(self) -> dict[str, Any]:
        """As `capi reconcile --json` prints it."""
        return {
            "rows": self.rows,
            "missing": self.missing,
            "sent": None if self.report is None else self.report.to_json(),
        }


def reconcile(
    target: Target,
    *,
    since: dt.datetime | None = None,
    send: bool = False,
    run_id: str | None = None,
    progress: Progress | None = None,
    state: str | None = None,
) -> Reconciliation:
    """Compare every row behind the watermark with the ledger.

    Args:
        target: The destination, or the path of its YAML file.
        since: Cursor time from which rows are compared; default: the whole age window.
        send: Deliver what is missing.
        run_id: Name of the run that delivers; default: a new one.
        progress: Told of rows that are settled.
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
        rows, missing = context.page_builder().count_missing(window)
        if not missing or not send:
            return Reconciliation(rows, missing, None)

        def cut(_context: RunContext, _after: Mark | None, _options: Options) -> list[Slice]:
            return [Slice(0, "missing", window.after, window.upto, window.before)]

        planned = prepare(
            context, Options(yes=True), "reconcile", cut, run_id=run_id, progress=progress
        )
        return Reconciliation(rows, missing, run(context, planned, progress))


def _window_start(context: RunContext, after: Mark, since: dt.datetime | None) -> Mark | None:
    cursor = context.cursor()
    if cursor is None:
        return None
    if since is not None:
        if not cursor.is_time:
            raise ConfigError(f"{context.name}: --since needs a cursor that is a time")
        return Mark(cursor.text_of(since))
    now = context.clock()
    return place_before(context, cursor, after, now - oldest_needed(context, now))
