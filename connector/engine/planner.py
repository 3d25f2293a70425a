"""What a run will deliver: the slices of what is new, what came late, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from connector.config.personal_keys import are_personal
from connector.engine.backlog import survey
from connector.engine.bounds import lookback_range
from connector.engine.context import RunContext
from connector.engine.page_builder import BEYOND_LEDGER
from connector.engine.plan import Options, Slice
from connector.errors import ConfigError
from connector.model import Mark, Range
from connector.source.watermark import Cursor
from connector.state import quarantine

PlanSlices = Callable[[RunContext, Mark | None, Options], list[Slice]]
"""Decides what a run delivers once it holds the lease: (context, watermark, options) -> slices."""


def plan_slices(context: RunContext, after: Mark | None, options: Options) -> list[Slice]:
    """The slices of a scheduled run.

    Args:
        context: The destination.
        after: The watermark.
        options: What the run was asked to do.
    """
    if options.since is not None:
        slices = _between(context, options)
    else:
        slices = new_slices(context, after, options)
        if options.limit is None:
            slices += late_slice(context, after, len(slices))
    if options.replay_rejected:
        slices.append(Slice(len(slices), "replay", beyond_ledger=options.yes))
    elif options.yes and _has_unproven_rows(context):
        slices.append(Slice(len(slices), "replay", reason=BEYOND_LEDGER.reason))
    return slices


def _has_unproven_rows(context: RunContext) -> bool:
    """Whether rows wait for a person's yes, because they may have been delivered before."""
    with context.store.read() as connection:
        return BEYOND_LEDGER.reason in quarantine.counts(
            connection, context.destination_id, state="expired"
        )


def late_slice(context: RunContext, after: Mark | None, number: int) -> list[Slice]:
    """The slice of rows that were committed late, behind the watermark; none where none can be.

    Args:
        context: The destination.
        after: The watermark.
        number: The slice's number.
    """
    late = lookback_range(context, after)
    return [] if late is None else [Slice(number, "late", late.after, late.upto, late.before)]


def new_slices(context: RunContext, after: Mark | None, options: Options) -> list[Slice]:
    """Slices of the rows beyond the watermark.

    Args:
        context: The destination.
        after: The watermark.
        options: What the run was asked to do.
    """
    found = context.surveyed or survey(context, after)
    if found.waiting == 0:
        return []
    before = _before(context, found.before, options)
    upto: Mark | None = None
    if before is None:
        latest = context.warehouse.latest_cursor()
        upto = None if latest is None else Mark(latest)
    if options.limit is not None and options.limit < found.waiting:
        return [Slice(0, "range", after, upto, before, options.limit)]
    waiting = Range(after, upto, before)
    ends: list[Mark] = []
    slice_rows = context.destination.model.delivery.slice_rows
    if found.waiting > slice_rows:
        ends = context.warehouse.slice_ends(waiting, slice_rows)
    return list(_cut(context, waiting, ends))


def _cut(context: RunContext, waiting: Range, ends: Sequence[Mark]) -> Iterator[Slice]:
    """A range cut at these places.

    Where keys may describe a person, it is cut between their cursor values, because such keys are
    not handed on.
    """
    columns = zip(*(end.key or () for end in ends), strict=True)
    keys = [pa.array(texts, pa.string()) for texts in columns]
    personal = are_personal(context.destination, keys)
    start, number = waiting.after, 0
    for end in ends:
        if not personal:
            yield Slice(number, "range", start, end, waiting.before)
            start, number = end, number + 1
        elif start is None or start.cursor != end.cursor:
            yield Slice(number, "range", start, None, end.cursor)
            start, number = Mark(end.cursor), number + 1
    yield Slice(number, "range", start, waiting.upto, waiting.before)


def _between(context: RunContext, options: Options) -> list[Slice]:
    """Rows between two times, wherever the watermark is; those that are recorded are left out."""
    assert options.since is not None
    start = Mark(_time_cursor(context).text_of(options.since))
    before = _before(context, context.warehouse.upper_bound(), options)
    return [Slice(0, "missing", start, None, before)]


def _before(context: RunContext, bound: str | None, options: Options) -> str | None:
    """The cursor value below which a run stays: by clock or by `until`, whichever is earlier.

    Args:
        context: The destination.
        bound: By the warehouse's clock.
        options: What the run was asked to do.
    """
    if options.until is None:
        return bound
    cursor = _time_cursor(context)
    moment = None if bound is None else cursor.moment_of(bound)
    return (
        bound if moment is not None and moment <= options.until else cursor.text_of(options.until)
    )


def _time_cursor(context: RunContext) -> Cursor:
    cursor = context.cursor()
    if cursor is None:
        raise ConfigError(
            f"{context.name}: the query has no rows yet, so the type of its cursor is not known"
        )
    if not cursor.is_time:
        raise ConfigError(
            f"{context.name}: since and until need a cursor that is a time, and"
            f" {context.destination.model.source.cursor} is none"
        )
    return cursor
