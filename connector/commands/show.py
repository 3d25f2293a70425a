"""All that is known of one conversion."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from connector.commands.erase import recorded_in
from connector.commands.key import key_to_json, refuse_other_columns
from connector.commands.moments import text_of_moment
from connector.commands.rejected import RejectedRow, rejected_row
from connector.config.loader import Target, destination_of
from connector.config.personal_keys import is_personal
from connector.engine.context import RunContext, open_context
from connector.errors import ConnectorError
from connector.model import Range
from connector.state import intents, ledger, quarantine, runs
from connector.state.clock import moment_of
from connector.state.intents import NOT_SENT, SETTLED
from connector.state.keys import hash_of
from connector.state.quarantine import Quarantined


@dataclass(frozen=True)
class HistoryEvent:
    """Something that happened to a conversion.

    Attributes:
        at: When, in UTC.
        what: In words.
        run_id: The run that was under way then; None where its run is forgotten, and where a
            person did it.
    """

    at: dt.datetime
    what: str
    run_id: str | None

    def to_json(self) -> dict[str, Any]:
        """As a part of `capi show --json`."""
        return {"at": text_of_moment(self.at), "what": self.what, "run_id": self.run_id}


@dataclass(frozen=True)
class ConversionHistory:
    """All that is known of one conversion.

    Attributes:
        destination: Its name.
        key: Texts of the key columns; None where they may describe a person.
        state: As by `recorded`; `waiting` for a row that the next runs will deliver, `missing` for
            one without a record behind the watermark, `unknown` where there is no such row.
        cursor: Its cursor in the warehouse, as text; None where the warehouse has no such row.
        quarantine: How it stands in quarantine.
        events: What happened to it, the oldest first.
        next: What happens next, or what a person can do.
        warning: Why the warehouse cannot be asked.
    """

    destination: str
    key: tuple[str, ...] | None
    state: str
    cursor: str | None
    quarantine: RejectedRow | None
    events: list[HistoryEvent]
    next: str
    warning: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As `capi show --json` prints it; a key of one column is a text, not a list."""
        return {
            "destination": self.destination,
            "key": key_to_json(self.key),
            "state": self.state,
            "cursor": self.cursor,
            "quarantine": None if self.quarantine is None else self.quarantine.to_json(),
            "events": [event.to_json() for event in self.events],
            "next": self.next,
            "warning": self.warning,
        }


_NEXT = {
    "delivered": "nothing: the platform has it",
    "rejected": "mend the row or its mapping, then `capi replay {name} --key ...`; a row that"
    " changes in the warehouse is tried again by itself",
    "expired": "nothing, unless the row itself changes: it is too old",
    "beyond_ledger": "`capi sync {name} --yes` sends it, where you know that it was not delivered",
    "suppressed": "nothing, unless the row itself changes: it may not be sent",
    "ambiguous_expired": "`capi resolve {name} --delivered` or `--resend` settles it",
    "ambiguous": "the next run sends the same request again, which settles it",
    "erased": "nothing: it is never sent",
    "waiting": "a run delivers it, once it is older than source.lag",
    "missing": "a run sends it where it lies within source.lookback; otherwise"
    " `capi reconcile {name} --send` does",
    "unknown": "see that the key is written as in the warehouse, and that the query gives the row",
}


def show(target: Target, *, key: tuple[str, ...], state: str | None = None) -> ConversionHistory:
    """Tell all that ledger, quarantine, intents, runs and warehouse know of one conversion.

    Args:
        target: The destination, or the path of its YAML file.
        key: Texts of the key columns.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    destination = destination_of(target)
    refuse_other_columns(destination, key)
    with open_context(destination, state=state) as context:
        cursor, is_behind, warning = _in_warehouse(context, key)
        key_hash = hash_of(key, context.store.key())
        with context.store.read() as connection:
            number = context.destination_id
            now = recorded_in(connection, number, key_hash)
            [*found] = quarantine.listed(connection, number, key_hash=key_hash)
            refused = found[0] if found else None
            events = _events(connection, number, key_hash, refused)
    if now is None:
        now = "unknown" if cursor is None else "missing" if is_behind else "waiting"
    is_beyond = refused is not None and refused.reason == "beyond_ledger"
    advice = _NEXT["beyond_ledger" if is_beyond and now == "expired" else now]
    return ConversionHistory(
        destination.name,
        None if is_personal(destination, key) else key,
        now,
        cursor,
        None if refused is None else rejected_row(refused, destination.platform.answers.codes),
        events,
        advice.format(name=destination.name),
        warning,
    )


def _in_warehouse(context: RunContext, key: tuple[str, ...]) -> tuple[str | None, bool, str | None]:
    """The row's cursor; whether the watermark has passed it; why that is not known."""
    try:
        rows = context.warehouse.read_by_key([key])
        if not len(rows):
            return None, False, None
        place = rows.mark(0)
        mark = context.watermark() if context.destination_id else None
        if mark is None:
            return place.cursor, False, None
        # It holds the row itself, if the watermark has not passed it.
        beyond = context.warehouse.read_keys(Range(mark, place), 1)
        return place.cursor, next(beyond, None) is None, None
    except ConnectorError as error:
        return None, False, str(error)


def _events(
    connection: Connection, destination_id: int, key_hash: bytes, refused: Quarantined | None
) -> list[HistoryEvent]:
    """What happened, the oldest first."""
    found: list[tuple[int, int, str]] = []
    if refused is not None:
        found.append((refused.first_seen, refused.first_seen, f"set aside: {refused.reason}"))
        if refused.attempts > 1:
            last = refused.last_seen
            found[0] = (refused.first_seen, refused.first_seen, "set aside")
            found.append((last, last, f"set aside, attempt {refused.attempts}: {refused.reason}"))
    entry = ledger.known(connection, destination_id, [key_hash]).get(key_hash)
    at = ledger.recorded_at(connection, destination_id, key_hash)
    if entry is not None and at is not None and refused is None:
        words = entry.state.name.lower().replace("_", " ")
        found.append((at * 1_000_000, at * 1_000_000 + 999_999, f"recorded as {words}"))
    for page in intents.listed(connection, destination_id):
        for member, state in zip(page.members, page.states, strict=True):
            if member == key_hash and state not in (NOT_SENT, SETTLED):
                words = "put into a request whose answer is not known yet"
                found.append((page.as_of_us, page.as_of_us, words))
    return [
        HistoryEvent(moment_of(first), what, runs.during(connection, destination_id, first, last))
        for first, last, what in sorted(found, key=lambda each: each[:2])
    ]
