"""Quarantined rows, read again from the warehouse and tried by today's rules."""

from __future__ import annotations

from connector.commands.decisions import record_replay
from connector.commands.key import refuse_other_columns
from connector.config.loader import Target, destination_of
from connector.engine.context import RunContext, open_context
from connector.engine.pipeline import Progress
from connector.engine.plan import Options, Slice
from connector.engine.report import Report
from connector.engine.run import prepare, run
from connector.model import Mark


def replay(
    target: Target,
    *,
    reason: str | None = None,
    key: tuple[str, ...] | None = None,
    run_id: str | None = None,
    progress: Progress | None = None,
    state: str | None = None,
) -> Report:
    """Try quarantined rows again.

    Args:
        target: The destination, or the path of its YAML file.
        reason: Only rows with this reason code.
        key: Only this row, even where it is dead; texts of the key columns.
        run_id: Its name; default: a new one.
        progress: Notified of rows that are settled.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    destination = destination_of(target)
    refuse_other_columns(destination, key)

    def cut(_context: RunContext, _after: Mark | None, _options: Options) -> list[Slice]:
        return [Slice(0, "replay", reason=reason, key=key)]

    with open_context(destination, state=state) as context:
        record_replay(context, reason, key)
        planned = prepare(context, Options(), "replay", cut, run_id=run_id, progress=progress)
        return run(context, planned, progress)
