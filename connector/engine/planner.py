"""What a run will do: take the lease, settle what a run before it left open, look at what waits, and cut it into slices."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from connector.config.validate import start_time
from connector.engine.context import RunContext, register, set_start
from connector.engine.drift import refuse_discontinuity
from connector.errors import ConfigError, GuardRail, Postponed, WarehouseError
from connector.model import Mark, Range, SliceKind
from connector.source.reader import Survey
from connector.source.watermark import Cursor, earlier
from connector.state import runs, watermark
from connector.state.lease import Lease, acquire, holder
from connector.state.tables import destination as destinations

SLICE_ROWS = 100_000
"""Rows of a slice; a backlog of more is delivered by several steps."""

USUAL_LEAST = 1_000
"""Up to this many rows are never too many."""


@dataclass(frozen=True)
class Options:
    """How one run differs from the schedule's.

    dry_run: nothing is sent or recorded. limit: rows at most. since, until: cursor times; with since, rows behind the mark
    are sent too, and the mark stays. replay_rejected: quarantined rows are tried again. test_mode: the platform's own, and
    nothing is recorded. yes: a person agreed to more rows than usual, and to refusals of nearly all of them.
    """

    dry_run: bool = False
    limit: int | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    replay_rejected: bool = False
    test_mode: bool = False
    yes: bool = False

    @property
    def recorded(self) -> bool:
        """Whether this run leaves a trace in the state."""
        return not (self.dry_run or self.test_mode)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError("limit is a number of rows, at least 1")


@dataclass(frozen=True)
class Piece:
    """A slice of the work, small enough to pass between processes. most: rows that it takes at most. reason, key: which quarantined rows a replay takes."""

    number: int
    kind: SliceKind
    after: Mark | None = None
    upto: Mark | None = None
    before: str | None = None
    most: int | None = None
    reason: str | None = None
    key: tuple[str, ...] | None = None

    @property
    def range(self) -> Range:
        """The rows it covers."""
        return Range(self.after, self.upto, self.before)


@dataclass(frozen=True)
class Plan:
    """One run. token: of the lease that it works under. facts: what the survey found, for people."""

    run_id: str
    token: int
    destination_id: int
    mark_from: str | None
    pieces: list[Piece]
    options: Options
    facts: dict[str, int | float | None] = field(default_factory=dict)

    @property
    def lease(self) -> Lease:
        """The right to record."""
        return Lease(self.destination_id, self.token, self.run_id)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        plain = asdict(self)
        plain["options"] = {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in plain["options"].items()
        }
        return plain

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """The reverse of `to_json`."""
        options: dict[str, Any] = {
            name: dt.datetime.fromisoformat(value)
            if name in ("since", "until") and value
            else value
            for name, value in values["options"].items()
        }
        pieces = [piece_from_json(piece) for piece in values["pieces"]]
        return cls(
            values["run_id"],
            values["token"],
            values["destination_id"],
            values["mark_from"],
            pieces,
            Options(**options),
            values["facts"],
        )


def piece_from_json(values: dict[str, Any]) -> Piece:
    """A piece that passed through JSON."""

    def mark(found: Sequence[Any] | None) -> Mark | None:
        return (
            None if found is None else Mark(found[0], None if found[1] is None else tuple(found[1]))
        )

    key = values["key"]
    return Piece(
        values["number"],
        values["kind"],
        mark(values["after"]),
        mark(values["upto"]),
        values["before"],
        values["most"],
        values["reason"],
        None if key is None else tuple(key),
    )


def take_lease(context: RunContext, run_id: str | None, kind: str = "sync") -> Lease:
    """Register the destination, take its lease and begin a run. Raises LeaseHeld, ConfigError or WarehouseError."""
    name = run_id or uuid.uuid4().hex
    try:
        register(context)
    except (ConfigError, WarehouseError):
        _note_refusal(context, name, kind)
        raise
    with context.store.write() as connection:
        held = acquire(connection, context.destination_id, name)
        where = watermark.read(connection, context.destination_id)
        runs.start(
            connection, context.destination_id, name, kind, None if where is None else where.cursor
        )
    return held


def _note_refusal(context: RunContext, run_id: str, kind: str) -> None:
    """So that whoever looks at the runs, as alerts do, sees that this destination delivers nothing any more."""
    if context.destination_id:
        with context.store.write() as connection:
            runs.refuse(connection, context.destination_id, run_id, kind)


def refuse_too_early(context: RunContext) -> None:
    """Raise Postponed while the platform wants to be left alone."""
    with context.store.read() as connection:
        row = connection.execute(
            destinations.select().where(destinations.c.id == context.destination_id)
        ).one()
    now = context.clock()
    until = (
        None
        if row.not_before is None
        else dt.datetime.fromtimestamp(row.not_before / 1_000_000, dt.UTC)
    )
    if until is not None and until > now:
        raise Postponed(
            f"{context.name}: the platform asked to wait until {until:%Y-%m-%dT%H:%M:%SZ}; nothing was sent"
        )


def beginning(context: RunContext) -> Mark | None:
    """Where a first run starts, from `source.start`."""
    source, cursor = context.destination.model.source, context.cursor()
    if source.start == "all" or cursor is None:
        return None
    if source.start == "now":
        if cursor.is_time:
            return Mark(cursor.text_of(context.warehouse.now()))
        if cursor.type.kind == "xid8":
            bound = context.warehouse.survey(None).before
            return None if bound is None else Mark(bound)
        latest = context.warehouse.latest()
        return None if latest is None else Mark(str(int(latest) + 1))
    if not cursor.is_time:
        raise ConfigError(
            f"{context.name}: source.start is a timestamp, but the cursor {source.cursor} is not a time; use all or now",
            at=("source", "start"),
        )
    return Mark(cursor.text_of(start_time(source)))


def refuse_overlooked(context: RunContext, after: Mark | None, options: Options) -> Survey:
    """Look at what waits, before the first send: refuse a source in which rows would be overlooked, or far too many wait."""
    source = context.destination.model.source
    found = survey(context, after)
    refuse_discontinuity(context, found)
    context.facts = {
        "waiting": found.waiting,
        "null_cursors": found.null_cursors,
        "future_rows": found.future,
        "lag_seconds": lag_seconds(context, found),
    }
    problems = list(found.overlooked(source).values())
    lacking = context.warehouse.lacking()
    if lacking:
        problems = [context.warehouse.lacks(lacking), *problems]
    if problems:
        raise ConfigError(
            f"{context.name}: {' '.join(f'{problem}.' for problem in problems).removesuffix('.')}"
        )
    refuse_mass_resend(context, found.waiting, options)
    return found


def survey(context: RunContext, after: Mark | None) -> Survey:
    """What waits behind a mark. Where the mark has no key, rows of its own cursor value may be recorded already, and then do not wait."""
    found = context.warehouse.survey(after)
    if after is None or after.key is not None or not found.waiting or not context.destination_id:
        return found
    own = Range(after, after, found.before)
    return (
        found
        if context.page_builder().any_missing(own)
        else context.warehouse.survey(Mark(after.cursor, ()))
    )


def lag_seconds(context: RunContext, found: Survey) -> float:
    """Age of the oldest row that waits, in seconds; 0 where none does or the cursor is not a time."""
    cursor = context.cursor()
    oldest = None if cursor is None or found.oldest is None else cursor.moment_of(found.oldest)
    return 0.0 if oldest is None else max((found.now - oldest).total_seconds(), 0.0)


def refuse_mass_resend(context: RunContext, rows: int, options: Options) -> None:
    """Raise GuardRail where far more rows wait than usual: a table was rebuilt, or a mark was lost."""
    delivery = context.destination.model.delivery
    if options.yes or (
        options.limit is not None and options.limit <= (delivery.max_rows_per_run or options.limit)
    ):
        return
    if delivery.max_rows_per_run is not None and rows > delivery.max_rows_per_run:
        raise GuardRail(
            f"{context.name}: {rows} rows wait, more than delivery.max_rows_per_run ({delivery.max_rows_per_run}); nothing was sent. Look at a few with --dry-run, then send with --yes, or a part with --limit"
        )
    with context.store.read() as connection:
        usual = runs.usual_rows(connection, context.destination_id)
    if usual is not None and rows > USUAL_LEAST and rows > usual * delivery.times_usual:
        raise GuardRail(
            f"{context.name}: {rows} rows wait, more than {delivery.times_usual} times the usual {usual}; was the table rebuilt? Nothing was sent. Look at a few with --dry-run, then send with --yes, or a part with --limit"
        )


def what_waits(context: RunContext, after: Mark | None, options: Options) -> list[Piece]:
    """The pieces of a run: what is new, what came late behind the mark, and what is to be tried again."""
    pieces = (
        _new(context, after, options) if options.since is None else _asked_for(context, options)
    )
    late = _late(context, after) if options.since is None and options.limit is None else None
    if late is not None:
        pieces.append(Piece(len(pieces), "late", late.after, late.upto, late.before))
    if options.replay_rejected:
        pieces.append(Piece(len(pieces), "replay"))
    return pieces


def _new(context: RunContext, after: Mark | None, options: Options) -> list[Piece]:
    found = survey(context, after)
    if found.waiting == 0:
        return []
    before = _before(context, found, options)
    upto: Mark | None = None
    if before is None:
        latest = context.warehouse.latest()
        upto = None if latest is None else Mark(latest)
    if options.limit is not None and options.limit < found.waiting:
        return [Piece(0, "range", after, upto, before, options.limit)]
    ends = (
        context.warehouse.boundaries(Range(after, upto, before), SLICE_ROWS)
        if found.waiting > SLICE_ROWS
        else []
    )
    return list(_slices(context, Range(after, upto, before), ends))


def _slices(context: RunContext, waiting: Range, ends: Sequence[Mark]) -> Iterator[Piece]:
    """A range cut at these places; where keys may describe a person, between their cursor values, because keys are then not handed on."""
    personal = context.destination.personal_key or any(
        "@" in part for end in ends for part in end.key or ()
    )
    start, number = waiting.after, 0
    for end in ends:
        if not personal:
            yield Piece(number, "range", start, end, waiting.before)
            start, number = end, number + 1
        elif start is None or start.cursor != end.cursor:
            yield Piece(number, "range", start, None, end.cursor)
            start, number = Mark(end.cursor), number + 1
    yield Piece(number, "range", start, waiting.upto, waiting.before)


def _asked_for(context: RunContext, options: Options) -> list[Piece]:
    """Rows between two times, wherever the mark is; those that are recorded are left out."""
    assert options.since is not None
    found = context.warehouse.survey(None)
    return [
        Piece(
            0,
            "missing",
            Mark(_timed(context).text_of(options.since)),
            None,
            _before(context, found, options),
        )
    ]


def _before(context: RunContext, found: Survey, options: Options) -> str | None:
    """The cursor value that a run stays below: the earlier one of what the clock permits and what was asked for."""
    if options.until is None:
        return found.before
    cursor, until = _timed(context), options.until
    bound = None if found.before is None else cursor.moment_of(found.before)
    return found.before if bound is not None and bound <= until else cursor.text_of(until)


def _timed(context: RunContext) -> Cursor:
    cursor = _cursor(context)
    if not cursor.is_time:
        raise ConfigError(
            f"{context.name}: since and until need a cursor that is a time, and {context.destination.model.source.cursor} is none"
        )
    return cursor


def _late(context: RunContext, after: Mark | None) -> Range | None:
    """Rows that were committed behind the mark: everything within `lookback` of it, but nothing from before the start.

    Where the last run that looked back to the end did so from an earlier mark, it is `lookback` from there: a run that broke
    off moved the mark, and never came to look.
    """
    source, cursor = context.destination.model.source, context.cursor()
    if after is None or cursor is None or not source.lookback or cursor.type.kind == "xid8":
        return None
    with context.store.read() as connection:
        looked = watermark.looked_behind(connection, context.destination_id)
    then, now = (
        (None if looked is None else cursor.moment_of(looked)),
        cursor.moment_of(after.cursor),
    )
    place = (
        Mark(looked)
        if looked is not None and then is not None and now is not None and then < now
        else after
    )
    return Range.behind(after, lower_bound(context, cursor, place, source.lookback))


def at_work(context: RunContext) -> str | None:
    """The run that is at work on this destination, if one is."""
    with context.store.read() as connection:
        return holder(connection, context.destination_id)


def anything_waits(context: RunContext, *, late: bool) -> bool:
    """Whether a run would find rows. late: look behind the mark too, which reads all keys within `lookback`."""
    after = (context.mark() if context.destination_id else None) or beginning(context)
    if survey(context, after).waiting:
        return True
    behind = _late(context, after) if late and context.destination_id else None
    return behind is not None and context.page_builder().any_missing(behind)


def lower_bound(
    context: RunContext, cursor: Cursor, after: Mark, back: dt.timedelta
) -> Mark | None:
    """The place `back` before a mark, or the start of the destination if that is later; None: the first row."""
    moment = cursor.moment_of(after.cursor)
    with context.store.read() as connection:
        start = (
            connection.execute(
                destinations.select().where(destinations.c.id == context.destination_id)
            )
            .one()
            .start
        )
        earlier_mark = (
            runs.mark_before(connection, context.destination_id, earlier(context.clock(), back))
            if moment is None
            else None
        )
    if moment is None:
        lower = earlier_mark if earlier_mark is not None else start
        return None if lower is None else Mark(lower)
    since, begun = earlier(moment, back), None if start is None else cursor.moment_of(start)
    return Mark(start) if begun is not None and begun > since else Mark(cursor.text_of(since))


def _cursor(context: RunContext) -> Cursor:
    cursor = context.cursor()
    if cursor is None:
        raise ConfigError(
            f"{context.name}: the query has no rows yet, so the type of its cursor is not known"
        )
    return cursor


def remember_start(context: RunContext, first: Mark | None, held: Lease) -> None:
    """At the first run: put the mark where `start` says, and remember it."""
    if first is None:
        return
    with context.store.write() as connection:
        watermark.put(connection, held, first)
        set_start(connection, context.destination_id, first.cursor)
