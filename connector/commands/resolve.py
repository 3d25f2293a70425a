"""What only a person can decide: unanswered requests, a changed source, where to begin anew."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any, Literal

from connector.config.loader import Target, destination_of
from connector.config.validate import start_time
from connector.engine.audit import decided, key_text, put_entries
from connector.engine.bounds import first_watermark
from connector.engine.context import RunContext, open_context
from connector.engine.drift import changed_types
from connector.engine.horizon import start_horizon
from connector.engine.registration import (
    accept_change,
    accept_older_state,
    changes,
    manual_lease,
    witness_of,
)
from connector.engine.run import publish_audit
from connector.errors import ConfigError
from connector.model import Mark, Range, RowState
from connector.state import acts, intents, ledger, quarantine, receipts, registry, watermark
from connector.state.clock import microseconds_of
from connector.state.lease import release
from connector.state.quarantine import Tries

Decision = Literal["delivered", "resend"]


@dataclass(frozen=True)
class Resolution:
    """What a person decided, and what it changed. One of its fields is not None, or `mark` is.

    Attributes:
        rows: Rows whose delivery had stayed unknown.
        accepted: Parts of the source that had changed, in words.
        mark: Cursor text of the new watermark; None where it was put before the first row.
    """

    rows: int | None = None
    accepted: tuple[str, ...] | None = None
    mark: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `capi resolve --json` prints it."""
        if self.rows is not None:
            return {"rows": self.rows}
        if self.accepted is not None:
            return {"accepted": list(self.accepted)}
        return {"mark": self.mark}


def resolve(
    target: Target,
    *,
    ambiguous: Decision | None = None,
    accept_change: bool = False,
    restart: str | None = None,
    state: str | None = None,
) -> Resolution:
    """Settle what only a person can decide; exactly one of the three.

    Args:
        target: The destination, or the path of its YAML file.
        ambiguous: What becomes of rows whose delivery stayed unknown; see `settle_ambiguous`.
        accept_change: The source changed, and the watermark still means the same.
        restart: Where to put the watermark: all, now, or a timestamp.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: None or several were asked for, or what was asked for cannot be done.
    """
    if sum((ambiguous is not None, accept_change, restart is not None)) != 1:
        raise ConfigError("give one of --delivered, --resend, --accept-change or --restart")
    if ambiguous is not None:
        return Resolution(rows=settle_ambiguous(target, ambiguous, state=state))
    if restart is not None:
        return Resolution(mark=put_watermark(target, restart, state=state))
    return Resolution(accepted=tuple(accept_changes(target, state=state)))


def settle_ambiguous(target: Target, decision: Decision, *, state: str | None = None) -> int:
    """Decide on rows whose delivery stayed unknown for too long.

    Args:
        target: The destination, or the path of its YAML file.
        decision: `delivered`: they count as delivered. `resend`: the next `replay` sends them
            again, with the same event_id.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        How many rows there were.
    """
    row_state = RowState.DELIVERED if decision == "delivered" else RowState.REJECTED
    with open_context(destination_of(target), state=state) as context:
        held = manual_lease(context)
        number = context.destination_id
        with context.store.write() as connection:
            rows = list(quarantine.listed(connection, number, state="ambiguous_expired"))
            hashes, cursors = [row.key_hash for row in rows], [row.cursor for row in rows]
            ledger.record(connection, number, hashes, [row_state] * len(rows), cursors, None)
            if context.destination.model.audit is not None:
                texts = [key_text(row.key, row.key_hash) for row in rows]
                tried = [Tries(row.attempts, row.first_seen) for row in rows]
                entry = decided(texts, row_state, f"resolved_{decision}", tried)
                run_id = f"resolve-{uuid.uuid4().hex}"
                put_entries(connection, number, run_id, [entry] if rows else [])
            if decision == "delivered":
                quarantine.remove(connection, number, hashes)
            else:
                quarantine.reopen(connection, number, hashes)
            details = {"ambiguous": decision, "rows": len(rows)}
            acts.record(connection, context.name, "resolve", details)
            release(connection, held)
        publish_audit(context)
        return len(rows)


def accept_changes(target: Target, *, state: str | None = None) -> list[str]:
    """Take source and target as they are now for the ones that the state knows.

    A state that is older than what this machine saw of it is taken as it is as well.

    Args:
        target: The destination, or the path of its YAML file.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        What had changed, in words.

    Raises:
        ConfigError: The key changed, or its values are other texts now: by them alone delivered
            rows are known. Or the watermark is no value of the cursor now. Or the source cannot be
            read.
        WarehouseError: The source cannot be read.
    """
    destination = destination_of(target)
    with open_context(destination, state=state) as context:
        context.warehouse.check_query()
        if not context.destination_id:
            return []
        types = changed_types(context)
        if types:
            _refuse_other_values(context)
        with context.store.write() as connection:
            source_changes, target_changes = changes(connection, context)
            if "source.key" in source_changes:
                raise ConfigError(
                    f"{destination.name}: source.key changed, so rows that were delivered would"
                    " not be recognised and would be sent again under other ids. Put the old key"
                    f" back; or, to begin anew, run `capi resolve {destination.name} --restart"
                    " now|TIMESTAMP`"
                )
            accept_change(connection, context)
            older = ["the state"] if accept_older_state(connection, context) else []
            accepted = [*source_changes, *target_changes, *types, *older]
            acts.record(connection, context.name, "resolve", {"accepted": accepted})
            return accepted


def _refuse_other_values(context: RunContext) -> None:
    """Raise ConfigError where a new type makes other texts of cursor or key values."""
    place, cursor = context.watermark(), context.cursor()
    if place is None or cursor is None:
        return
    anew = f"to begin anew, run `capi resolve {context.name} --restart now|TIMESTAMP`"
    if not cursor.type.fits(place.cursor):
        raise ConfigError(
            f"{context.name}: the high-water mark is {place.cursor}, which no row's"
            f" {context.destination.model.source.cursor} can be now. Put the old type back with a"
            f" cast in the query; or, {anew}"
        )
    here = Range(Mark(place.cursor), Mark(place.cursor))
    if context.page_builder().none_recorded(here):
        raise ConfigError(
            f"{context.name}: the values of {', '.join(context.destination.model.source.keys)} are"
            " other texts than they were, so rows that were delivered would not be recognised and"
            " would be sent again under other ids. Put the old texts back with a cast in the"
            f" query; or, {anew}"
        )


def put_watermark(target: Target, start: str, *, state: str | None = None) -> str | None:
    """Put the watermark where a person says; rows that the ledger knows are not sent again.

    Where the ledger is lost, is older than what this machine saw of it, or knows rows by another
    key, it is not known what was delivered before. Then rows from the start on are sent, because
    the person said so; older ones that come back are expired (`beyond_ledger`). Where the target
    changed, the new one got nothing yet, so what is recorded of the old one is forgotten, but for
    erased rows.

    Args:
        target: The destination, or the path of its YAML file.
        start: all, now, or a timestamp.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Returns:
        Cursor text of the new watermark.

    Raises:
        ConfigError: The start is none of these.
    """
    destination = destination_of(target)
    source = destination.model.source.model_copy(update={"start": start})
    if start not in ("all", "now"):
        try:
            start_time(source)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    moved = replace(destination, model=destination.model.model_copy(update={"source": source}))
    with open_context(moved, state=state) as context:
        is_lost = _forget_refusals(context)
        with context.store.read() as connection:
            was_older = accept_older_state(connection, context)
        held = manual_lease(context, anew=True)
        first = first_watermark(context)
        cursor = None if first is None else first.cursor
        since = start_horizon(context, cursor)
        with context.store.write() as connection:
            watermark.put(connection, held, first)
            registry.set_start(connection, context.destination_id, cursor)
            moment = None if since is None else microseconds_of(since)
            if is_lost:
                registry.set_horizon(connection, context.destination_id, moment)
            elif was_older and moment is not None:
                known = registry.horizon(connection, context.destination_id)
                registry.set_horizon(connection, context.destination_id, max(moment, known or 0))
            details = {"restart": start, "watermark": cursor}
            acts.record(connection, context.name, "resolve", details)
            release(connection, held)
        return cursor


def _forget_refusals(context: RunContext) -> bool:
    """Let the destination begin anew; returns whether its ledger is lost."""
    witness = witness_of(context)
    if not context.destination_id:
        is_lost = witness.exists()
        witness.remove()
        return is_lost
    with context.store.write() as connection:
        number = context.destination_id
        source_changes, target_changes = changes(connection, context)
        is_lost = registry.has_lost_watermark(connection, number) or "source.key" in source_changes
        accept_change(connection, context)
        registry.forget_watermark_moves(connection, number)
        if target_changes:
            for recorded in (ledger, quarantine, intents, receipts):
                recorded.clear(connection, number)
            registry.set_horizon(connection, number, None)
            registry.set_not_before(connection, number, None)
        return is_lost and not target_changes
