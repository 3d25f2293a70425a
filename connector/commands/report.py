"""What became of the warehouse's rows, by day, by reason or by event name."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from connector.config.loader import Target, destination_of
from connector.engine.bounds import first_watermark
from connector.engine.context import RunContext, open_context
from connector.engine.recorded_rows import RecordedRows, read_recorded
from connector.errors import ConfigError
from connector.model import Mark, Range, RowState
from connector.source.reader import SourceReader
from connector.source.watermark import Cursor
from connector.state import quarantine, registry

By = Literal["day", "reason", "event_name"]

GROUPS: tuple[By, ...] = ("day", "reason", "event_name")

_DECIDED = ("delivered", "rejected", "expired", "suppressed")
_OPEN = ("waiting", "missing", "ambiguous", "erased")


@dataclass(frozen=True)
class ReportLine:
    """What became of some rows of the warehouse. All counts are rows.

    Attributes:
        by: What the rows have in common.
        group: The day of their cursor in UTC, their reason (None where they were delivered or are
            open), or their event name.
        warehouse: How many the query gives.
        delivered, rejected, expired, suppressed: How many are recorded so.
        waiting: Not recorded yet, beyond the watermark.
        missing: Not recorded, behind the watermark; `capi reconcile` sends them.
        ambiguous: Nobody knows whether they arrived.
        erased: Forgotten for a request of deletion.
    """

    by: By
    group: str | None
    warehouse: int
    delivered: int = 0
    rejected: int = 0
    expired: int = 0
    suppressed: int = 0
    waiting: int = 0
    missing: int = 0
    ambiguous: int = 0
    erased: int = 0

    @property
    def difference(self) -> int:
        """Rows of the warehouse that are not in one of the four states."""
        return self.warehouse - sum(getattr(self, name) for name in _DECIDED)

    def to_json(self) -> dict[str, Any]:
        """As `capi report --json` prints it."""
        decided = {name: getattr(self, name) for name in _DECIDED}
        rest = {name: getattr(self, name) for name in _OPEN}
        head = {self.by: self.group, "warehouse": self.warehouse}
        return {**head, **decided, "difference": self.difference, **rest}


def report(
    target: Target,
    *,
    by: By = "day",
    since: dt.datetime | None = None,
    state: str | None = None,
) -> list[ReportLine]:
    """Count what became of each row that the query gives, against the ledger.

    Reads the key of every row since then.

    Args:
        target: The destination, or the path of its YAML file.
        by: What rows of one line have in common.
        since: Cursor time from which rows count; default: where the destination started.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The cursor is no time, and `since` or days were asked for.
    """
    destination = destination_of(target)
    names = SourceReader(destination, ("event_name",)) if by == "event_name" else None
    with (
        open_context(destination, state=state) as context,
        closing(names) if names else nullcontext(),
    ):
        group_of = _grouping(context, by)
        lines: dict[str | None, Counter[str]] = {}
        for open_state, rows in _ranges(context, since):
            for page in read_recorded(context, rows, names):
                for group, now in zip(group_of(page), _states(page, open_state), strict=True):
                    lines.setdefault(group, Counter())[now] += 1
    ordered = sorted(lines.items(), key=lambda each: (each[0] is None, each[0] or ""))
    return [ReportLine(by, group, counts.total(), **counts) for group, counts in ordered]


def _ranges(context: RunContext, since: dt.datetime | None) -> Iterator[tuple[str, Range]]:
    """What a row without a record is called there, and the rows: behind the watermark, beyond."""
    cursor = context.cursor()
    if cursor is None:
        return
    place = context.watermark() if context.destination_id else None
    start = _start(context, cursor, since)
    if place is None:
        yield "waiting", Range(start)
        return
    yield "missing", Range.behind(place, start)
    yield "waiting", Range(_later(cursor, start, place))


def _start(context: RunContext, cursor: Cursor, since: dt.datetime | None) -> Mark | None:
    """Where the report begins; no earlier than where the destination started."""
    if since is not None and not cursor.is_time:
        raise ConfigError(f"{context.name}: --since needs a cursor that is a time")
    if context.destination_id:
        with context.store.read() as connection:
            text = registry.start(connection, context.destination_id)
        begun = None if text is None else Mark(text)
    else:
        begun = first_watermark(context)
    return begun if since is None else _later(cursor, begun, Mark(cursor.text_of(since)))


def _later(cursor: Cursor, one: Mark | None, other: Mark) -> Mark:
    """The later of two places."""
    if one is None:
        return other
    if not cursor.is_time:
        return one if int(one.cursor) > int(other.cursor) else other
    first, second = cursor.moment_of(one.cursor), cursor.moment_of(other.cursor)
    return one if first is not None and second is not None and first > second else other


def _states(page: RecordedRows, open_state: str) -> Iterator[str]:
    for key_hash in page.hashes:
        entry = page.entries.get(key_hash)
        if entry is None:
            yield open_state
        else:
            is_unknown = entry.state == RowState.AMBIGUOUS_EXPIRED
            yield "ambiguous" if is_unknown else entry.state.name.lower()


def _grouping(context: RunContext, by: By) -> Callable[[RecordedRows], Iterator[str | None]]:
    """Gives the group of each row of a page."""
    if by == "event_name":
        return lambda page: _event_names(context, page)
    if by == "reason":
        reasons = _reasons(context)
        return lambda page: (_reason(page, key_hash, reasons) for key_hash in page.hashes)
    cursor = context.cursor()
    if cursor is not None and not cursor.is_time:
        raise ConfigError(
            f"{context.name}: --by day needs a cursor that is a time; use --by reason or event_name"
        )
    return lambda page: (_day(cursor, text) for text in page.rows.cursors.to_pylist())


def _day(cursor: Cursor | None, text: str) -> str | None:
    moment = None if cursor is None else cursor.moment_of(text)
    return None if moment is None else moment.date().isoformat()


def _event_names(context: RunContext, page: RecordedRows) -> Iterator[str | None]:
    constant = context.destination.model.constants.get("event_name")
    table = page.rows.table
    if constant is not None or "event_name" not in table.column_names:
        return iter([None if constant is None else str(constant)] * len(page.hashes))
    return iter([None if name is None else str(name) for name in table["event_name"].to_pylist()])


def _reasons(context: RunContext) -> dict[bytes, str]:
    """Key hash -> why a row is in quarantine, with the platform's own code."""
    if not context.destination_id:
        return {}
    with context.store.read() as connection:
        return {
            row.key_hash: f"{row.reason} {row.code}" if row.code else row.reason
            for row in quarantine.listed(connection, context.destination_id)
        }


def _reason(page: RecordedRows, key_hash: bytes, reasons: dict[bytes, str]) -> str | None:
    entry = page.entries.get(key_hash)
    if entry is None or entry.state in (RowState.DELIVERED, RowState.ERASED):
        return None
    forgotten = {RowState.REJECTED: "no longer in quarantine"}
    return reasons.get(key_hash, forgotten.get(entry.state, entry.state.name.lower()))
