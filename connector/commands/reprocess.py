"""The verbs for rows that a normal run would not touch: replay, reconcile, resolve and erase."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

from connector.config.destination import Destination
from connector.config.validate import start_time
from connector.engine.context import (
    RunContext,
    accept_source,
    changes,
    open_context,
    register,
    set_aside_witness,
    set_start,
    source_of,
)
from connector.engine.pipeline import Watch
from connector.engine.planner import Options, Piece, beginning, lower_bound
from connector.engine.report import Report
from connector.engine.retention import oldest_needed
from connector.engine.run import prepare, run
from connector.errors import ConfigError
from connector.model import Mark, Range, RowState
from connector.state import ledger, quarantine, watermark
from connector.state.keys import hash_of
from connector.state.lease import Lease, acquire, release
from connector.state.tables import destination as destinations
from connector.state.tables import run as run_table


def replay(
    destination: Destination,
    *,
    reason: str | None = None,
    key: tuple[str, ...] | None = None,
    run_id: str | None = None,
    watch: Watch | None = None,
) -> Report:
    """Read quarantined rows again from the warehouse and try them by today's rules.

    reason: only those with this reason code. key: only this row, even where it is dead. Raises ConfigError for a key of other columns than source.key.
    """
    _refuse_other_columns(destination, key)

    def cut(_session: RunContext, _after: Mark | None, _options: Options) -> list[Piece]:
        return [Piece(0, "replay", reason=reason, key=key)]

    with open_context(destination) as context:
        return run(
            context,
            prepare(context, Options(yes=True), "replay", cut, run_id=run_id, watch=watch),
            watch,
        )


@dataclass(frozen=True)
class Reconciliation:
    """rows: rows in the window behind the mark. missing: how many of them have no record. report: of the run that sent them."""

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
    destination: Destination,
    *,
    since: dt.datetime | None = None,
    send: bool = False,
    run_id: str | None = None,
    watch: Watch | None = None,
) -> Reconciliation:
    """Compare every row behind the mark with the ledger, over the whole age window or since a time.

    send: deliver what is missing.
    """
    with open_context(destination) as context:
        return reconcile_in(context, since=since, send=send, run_id=run_id, watch=watch)


def reconcile_in(
    context: RunContext,
    *,
    since: dt.datetime | None = None,
    send: bool = False,
    run_id: str | None = None,
    watch: Watch | None = None,
) -> Reconciliation:
    """As `reconcile`, in a context that is open."""
    register(context)
    after = context.mark()
    if after is None:
        return Reconciliation(0, 0, None)
    window = Range.behind(after, _window_start(context, after, since))
    rows, missing = context.page_builder().count_missing(window)
    if not missing or not send:
        return Reconciliation(rows, missing, None)

    def cut(_session: RunContext, _after: Mark | None, _options: Options) -> list[Piece]:
        return [Piece(0, "missing", window.after, window.upto, window.before)]

    report = run(
        context,
        prepare(context, Options(yes=True), "reconcile", cut, run_id=run_id, watch=watch),
        watch,
    )
    return Reconciliation(rows, missing, report)


def _window_start(context: RunContext, after: Mark, since: dt.datetime | None) -> Mark | None:
    cursor = context.cursor()
    if cursor is None:
        return None
    if since is not None:
        if not cursor.is_time:
            raise ConfigError(f"{context.name}: --since needs a cursor that is a time")
        return Mark(cursor.text_of(since))
    now = context.clock()
    return lower_bound(context, cursor, after, now - oldest_needed(context, now))


Decision = Literal["delivered", "resend"]


def settle_ambiguous(destination: Destination, decision: Decision) -> int:
    """Decide on rows whose delivery stayed unknown for too long; returns how many there were.

    delivered: they count as delivered. resend: the next `replay` sends them again, with the same event_id.
    """
    with open_context(destination) as context:
        held = _hold(context)
        with context.store.write() as connection:
            rows = list(
                quarantine.listed(connection, context.destination_id, state="ambiguous_expired")
            )
            hashes = [row.key_hash for row in rows]
            if decision == "delivered":
                ledger.record(
                    connection,
                    context.destination_id,
                    hashes,
                    [RowState.DELIVERED] * len(hashes),
                    [row.cursor for row in rows],
                    None,
                )
                quarantine.remove(connection, context.destination_id, hashes)
            else:
                ledger.record(
                    connection,
                    context.destination_id,
                    hashes,
                    [RowState.REJECTED] * len(hashes),
                    [row.cursor for row in rows],
                    None,
                )
                quarantine.reopen(connection, context.destination_id, hashes)
            release(connection, held)
        return len(rows)


def accept_change(destination: Destination) -> list[str]:
    """Take the source as it is now for the one that the mark belongs to; returns what had changed.

    Raises ConfigError where the key did: by it alone delivered rows are known; ConfigError or WarehouseError where the source cannot be read.
    """
    with open_context(destination) as context:
        context.warehouse.try_query()
        with context.store.write() as connection:
            row = connection.execute(
                sa.select(destinations).where(destinations.c.id == context.destination_id)
            ).one_or_none()
            if row is None:
                return []
            changed = changes(json.loads(row.source), source_of(destination))
            if "source.key" in changed:
                raise ConfigError(
                    f"{destination.name}: source.key changed, so rows that were delivered would not be recognised and would be sent again under other ids. Put the old"
                    f" key back; or, to begin anew, run `capi resolve {destination.name} --restart now|TIMESTAMP`"
                )
            accept_source(connection, context)
            return changed


def restart(destination: Destination, start: str) -> str | None:
    """Put the mark where a person says: all, now, or a timestamp. The ledger stays, so nothing is delivered twice by it.

    Returns the new mark.
    """
    moved = destination.model.model_copy(
        update={"source": destination.model.source.model_copy(update={"start": start})}
    )
    if start not in ("all", "now"):
        try:
            start_time(moved.source)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    with open_context(replace(destination, model=moved)) as context:
        set_aside_witness(context)
        with context.store.write() as connection:
            if context.destination_id:
                accept_source(connection, context)
                connection.execute(
                    run_table.update()
                    .where(run_table.c.destination_id == context.destination_id)
                    .values(mark_to=None)
                )
        held = _hold(context)
        first = beginning(context)
        with context.store.write() as connection:
            watermark.put(connection, held, first)
            set_start(connection, context.destination_id, None if first is None else first.cursor)
            release(connection, held)
        return None if first is None else first.cursor


def erase(destination: Destination, key: tuple[str, ...]) -> bool:
    """Forget one row for good, for a request of deletion, and never send it again; returns whether anything was known of it.

    What remains is the hash of its key, marked as erased. Raises ConfigError for a key of other columns than source.key.
    """
    _refuse_other_columns(destination, key)
    with open_context(destination) as context:
        held = _hold(context)
        key_hash = hash_of(key, context.store.key())
        with context.store.write() as connection:
            known = bool(ledger.known(connection, context.destination_id, [key_hash]))
            quarantine.remove(connection, context.destination_id, [key_hash])
            ledger.record(
                connection, context.destination_id, [key_hash], [RowState.ERASED], [None], None
            )
            release(connection, held)
        return known


def recorded(destination: Destination, key: tuple[str, ...]) -> str | None:
    """What is recorded of one row: delivered, rejected, expired, suppressed, ambiguous_expired or erased; None where nothing is. Raises ConfigError for a key of other columns than source.key."""
    _refuse_other_columns(destination, key)
    with open_context(destination) as context:
        found = context.known([hash_of(key, context.store.key())])
    return next((entry.state.name.lower() for entry in found.values()), None)


def _refuse_other_columns(destination: Destination, key: tuple[str, ...] | None) -> None:
    columns = destination.model.source.keys
    if key is not None and len(key) != len(columns):
        raise ConfigError(
            f"{destination.name}: a key is made of {', '.join(columns)}; give --key once for each, in this order"
        )


def _hold(context: RunContext) -> Lease:
    register(context)
    with context.store.write() as connection:
        return acquire(connection, context.destination_id, "a person at the command line")
