"""Where a destination stands: mark, backlog, quarantine, last runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.commands.moments import text_of_microseconds
from connector.config.loader import Target, destination_of
from connector.engine.backlog import lag_seconds, survey, watermark_warning
from connector.engine.bounds import first_watermark
from connector.engine.context import RunContext, open_context
from connector.engine.registration import lost_state, older_state
from connector.engine.report import COUNTS
from connector.errors import ConnectorError
from connector.model import Mark
from connector.state import audit, intents, ledger, quarantine, registry, runs, watermark
from connector.state.lease import holder


@dataclass(frozen=True)
class Status:
    """Where a destination stands.

    Attributes:
        destination: Its name.
        mark: Cursor text of the watermark; None before the first page.
        backlog: Rows that wait; None where the warehouse cannot be asked.
        lag_seconds: Age of the oldest of them.
        quarantine: Reason code -> rows.
        dead: Rows that are tried again only where a person names them.
        ambiguous_expired: Rows whose delivery stayed unknown, which a person must decide on.
        in_flight: Pages of a run that has not ended.
        not_before: Until when the platform wants no requests.
        recorded: State of a row -> rows that the ledger knows.
        runs: The last runs with their counts.
        horizon: From when on the ledger is complete; None where it never forgot anything.
        audit_waiting: Rows that could not be written to the audit's files yet.
        warning: Why the warehouse cannot be asked, or rows that are added may never be read.
    """

    destination: str
    mark: str | None
    backlog: int | None
    lag_seconds: float | None
    quarantine: dict[str, int]
    dead: int
    ambiguous_expired: int
    in_flight: int
    not_before: str | None
    recorded: dict[str, int]
    runs: list[dict[str, Any]]
    horizon: str | None = None
    warning: str | None = None
    audit_waiting: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `capi status --json` prints it.

        `horizon` is there once the ledger forgot anything, `audit_waiting` where it is not 0.
        """
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if self.horizon is None:
            del found["horizon"]
        if not self.audit_waiting:
            del found["audit_waiting"]
        return found


def status(target: Target, *, number_of_runs: int = 5, state: str | None = None) -> Status:
    """Look at state and warehouse; changes nothing.

    Args:
        target: The destination, or the path of its YAML file.
        number_of_runs: How many of the last runs are listed.
        state: SQLAlchemy URL of the state database; default: as for `sync`.
    """
    destination = destination_of(target)
    with open_context(destination, state=state) as context:
        backlog, lag, warning = _backlog(context)
        warning = lost_state(context) or warning
        with context.store.read() as connection:
            warning = older_state(connection, context) or warning
            number = context.destination_id
            place = watermark.read(connection, number) if number else None
            not_before = registry.not_before(connection, number) if number else None
            horizon = registry.horizon(connection, number) if number else None
            latest = runs.latest(connection, context.destination_id, number_of_runs)
            at_work = holder(connection, context.destination_id)
            by_reason = quarantine.counts(connection, context.destination_id)
            undecided = by_reason.pop("ambiguous_expired", 0)
            dead = sum(quarantine.counts(connection, context.destination_id, state="dead").values())
            recorded = {
                state.name.lower(): number
                for state, number in ledger.count(connection, context.destination_id).items()
            }
            audit_waiting = audit.count(connection, context.destination_id)
            under_way = len(intents.listed(connection, context.destination_id))
        return Status(
            destination.name,
            None if place is None else place.cursor,
            backlog,
            lag,
            by_reason,
            dead,
            undecided,
            under_way,
            text_of_microseconds(not_before),
            recorded,
            [_run(each, at_work) for each in latest],
            text_of_microseconds(horizon),
            warning,
            audit_waiting,
        )


def _backlog(context: RunContext) -> tuple[int | None, float | None, str | None]:
    try:
        after = _watermark(context)
        found = survey(context, after)
        warning = watermark_warning(context, after, found)
        return found.waiting, lag_seconds(context, found), warning
    except ConnectorError as error:
        return None, None, str(error)


def _watermark(context: RunContext) -> Mark | None:
    """Where the watermark is, or where the first run would put it."""
    return (context.watermark() if context.destination_id else None) or first_watermark(context)


def _run(row: dict[str, Any], at_work: str | None) -> dict[str, Any]:
    """A run as it stands.

    Args:
        row: Of the state.
        at_work: The run that holds the lease; any other that never ended was killed.
    """
    killed = row["status"] == "running" and row["run_id"] != at_work
    counts = {name: row[name] for name in COUNTS}
    times = {
        "started_at": text_of_microseconds(row["started_at"]),
        "ended_at": text_of_microseconds(row["ended_at"]),
    }
    return {
        "run_id": row["run_id"],
        "kind": row["kind"],
        "status": "interrupted" if killed else row["status"],
        **times,
        **counts,
        "mark_to": row["mark_to"],
    }
