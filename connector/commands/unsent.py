"""Rows that were not sent because of their age or of consent, as people see them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from connector.commands.key import key_to_json
from connector.commands.moments import text_of_moment
from connector.config.loader import Target, destination_of
from connector.config.personal_keys import are_personal
from connector.engine.context import RunContext, open_context
from connector.engine.recorded_rows import read_recorded
from connector.mapping.reasons import explained
from connector.model import Mark, Range, RowState
from connector.source.watermark import earlier
from connector.state import ledger, quarantine
from connector.state.clock import moment_of

_Place = tuple[tuple[str, ...] | None, str]
"""Key, where it may be shown, and cursor."""

_MARGIN = dt.timedelta(days=1)
"""Most rows are recorded within a day of their cursor, so what lies there is read first."""


@dataclass(frozen=True)
class UnsentRow:
    """A row that was not sent.

    Attributes:
        key: Texts of its key columns; None where they may describe a person, and where the
            warehouse has no such row any more.
        cursor: Its cursor, as text; None where the warehouse has no such row any more.
        state: `expired` or `suppressed`.
        reason: The reason code.
        message: What it means, and what can be done.
        recorded_at: When that was decided, in UTC.
    """

    key: tuple[str, ...] | None
    cursor: str | None
    state: str
    reason: str
    message: str | None
    recorded_at: dt.datetime

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it; a key of one column is a text, not a list."""
        return {
            "key": key_to_json(self.key),
            "cursor": self.cursor,
            "state": self.state,
            "reason": self.reason,
            "message": self.message,
            "recorded_at": text_of_moment(self.recorded_at),
        }


UNSENT_FIELDS = tuple(field.name for field in fields(UnsentRow))


def expired(
    target: Target,
    *,
    since: dt.datetime | None = None,
    reason: str | None = None,
    state: str | None = None,
) -> list[UnsentRow]:
    """Rows that were too old: for the platform, or for the ledger to tell what became of them.

    The ledger knows hashes of keys alone, so the keys of the source are read.

    Args:
        target: The destination, or the path of its YAML file.
        since: Only rows for which that was decided then or later.
        reason: Only rows with this reason code: `expired` or `beyond_ledger`.
        state: SQLAlchemy URL of the state database; default: as for `sync`.
    """
    return _unsent(target, RowState.EXPIRED, since, reason, state)


def suppressed(
    target: Target,
    *,
    since: dt.datetime | None = None,
    reason: str | None = None,
    state: str | None = None,
) -> list[UnsentRow]:
    """Rows that may not be sent, because consent was refused.

    The ledger knows hashes of keys alone, so the keys of the source are read.

    Args:
        target: The destination, or the path of its YAML file.
        since: Only rows for which that was decided then or later.
        reason: Only rows with this reason code.
        state: SQLAlchemy URL of the state database; default: as for `sync`.
    """
    return _unsent(target, RowState.SUPPRESSED, since, reason, state)


def _unsent(
    target: Target,
    row_state: RowState,
    since: dt.datetime | None,
    reason: str | None,
    state: str | None,
) -> list[UnsentRow]:
    name = row_state.name.lower()
    with open_context(destination_of(target), state=state) as context:
        if not context.destination_id:
            return []
        with context.store.read() as connection:
            start = 0 if since is None else int(since.timestamp())
            recorded = ledger.in_state(connection, context.destination_id, row_state, start)
            reasons = {
                row.key_hash: row.reason
                for row in quarantine.listed(connection, context.destination_id, state=name)
            }
        wanted = {
            key_hash: at
            for key_hash, at in recorded.items()
            if reason is None or reasons.get(key_hash, name) == reason
        }
        places = _places(context, set(wanted), since)
    found = [
        _row(places.get(key_hash), name, reasons.get(key_hash, name), at)
        for key_hash, at in wanted.items()
    ]
    return sorted(found, key=lambda row: (row.recorded_at, row.cursor or "", row.key or ()))


def _row(place: _Place | None, state: str, reason: str, at: int) -> UnsentRow:
    """A row as people see it.

    Args:
        place: Its key and cursor; None where the warehouse does not have it any more.
        state: Of the row.
        reason: Why.
        at: When it was recorded, in unix seconds.
    """
    key, cursor = place or (None, None)
    message = explained("row_gone" if place is None else reason, None)
    return UnsentRow(key, cursor, state, reason, message, moment_of(at * 1_000_000))


def _places(
    context: RunContext, wanted: set[bytes], since: dt.datetime | None
) -> dict[bytes, _Place]:
    """Key hash -> key and cursor, for rows that the warehouse still has."""
    found: dict[bytes, _Place] = {}
    for rows in _ranges(context, since) if wanted else ():
        for page in read_recorded(context, rows):
            personal = are_personal(context.destination, page.rows.keys)
            for row, key_hash in enumerate(page.hashes):
                if key_hash in wanted:
                    place = page.rows.mark(row)
                    key = None if personal else place.key
                    found[key_hash] = (key, place.cursor)
            if len(found) == len(wanted):
                return found
    return found


def _ranges(context: RunContext, since: dt.datetime | None) -> Iterator[Range]:
    """All rows; those first that were probably recorded since then."""
    cursor = context.cursor()
    if since is None or cursor is None or not cursor.is_time:
        yield Range()
        return
    near = cursor.text_of(earlier(since, _MARGIN))
    yield Range(after=Mark(near))
    yield Range(before=near)
