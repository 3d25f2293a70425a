"""The whole path: lease, plan, read, normalise, encode, send, record, commit, report.

`sync` does all of it in one process. `plan`, `deliver` and `settle` are its three parts, which Dagster runs as steps that
may live in different processes; what passes between them is plain data, what must last is in the state.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from connector.config.destination import Destination
from connector.config.validate import test_mode_problem
from connector.engine import failpoints
from connector.engine.checkpoint import Checkpointer, Unrecorded
from connector.engine.context import RunContext, open_context
from connector.engine.drift import remember
from connector.engine.pipeline import Watch, carry, rehearse
from connector.engine.planner import (
    Options,
    Piece,
    Plan,
    beginning,
    refuse_overlooked,
    refuse_too_early,
    remember_start,
    take_lease,
    what_waits,
)
from connector.engine.recovery import recover
from connector.engine.report import COUNTS, Report, RunFailure
from connector.engine.requeue import quarantined_pages
from connector.engine.retention import forget_old
from connector.errors import ConfigError, ConnectorError, RunStopped, StateError, SystemicError
from connector.model import Mark, Page
from connector.state import registry, runs, slices, watermark
from connector.state.lease import Heartbeat, Lease, hand_over, release

if TYPE_CHECKING:
    from connector.delivery.sender import Sender

Planned = tuple[Plan, RunFailure | None]
"""A plan, and why nothing of it may be begun, if so."""

Cut = Callable[[RunContext, Mark | None, Options], list[Piece]]
"""Decides what a run does once the lease is held: the mark and the options -> pieces."""


def sync(
    destination: Destination,
    options: Options = Options(),  # noqa: B008  frozen
    *,
    run_id: str | None = None,
    watch: Watch | None = None,
) -> Report:
    """Deliver what waits. The report of a run that ended early says why in `failure`.

    Raises ConfigError, LeaseHeld, GuardRail or WarehouseError where the run could not begin.
    """
    with open_context(in_mode(destination, options)) as context:
        if not is_recorded(destination, options):
            return try_out(context, options, watch)
        planned = prepare(context, options, "sync", what_waits, run_id=run_id, watch=watch)
        _say_how_many_wait(context, options, watch)
        return run(context, planned, watch)


def run(context: RunContext, planned: Planned, watch: Watch | None = None) -> Report:
    """Deliver the pieces of a plan one after the other, and settle, all in this process.

    Slices of new rows follow each other without a pause. What came late, and what is tried again, is looked for once they are recorded.
    """
    work, failure = planned
    try:
        with Heartbeat(context.store, work.lease):
            for _, pieces in itertools.groupby(work.pieces, lambda piece: piece.kind):
                failure = failure or _deliver(context, work, list(pieces), watch)
            return settle(context, work, failure)
    except BaseException:
        give_up(context, work.lease)
        raise


def plan(
    context: RunContext, options: Options, *, run_id: str | None = None, watch: Watch | None = None
) -> Planned:
    """What is new, what came late, and what is to be tried again: a step of its own, after which another process may go on."""
    planned = prepare(context, options, "sync", what_waits, run_id=run_id, watch=watch)
    _hand_over(context, planned[0].lease)
    return planned


def prepare(
    context: RunContext,
    options: Options,
    kind: str,
    cut: Cut,
    *,
    run_id: str | None = None,
    watch: Watch | None = None,
) -> Planned:
    """Take the lease, settle what an interrupted run left, and cut the work into pieces."""
    held = take_lease(context, run_id, kind)
    try:
        with Heartbeat(context.store, held):
            refuse_too_early(context)
            mark_from = _first_mark(context, held)
            remember(context, held, refuse_overlooked(context, mark_from, options))
            failure = _recover(context, held, options, watch)
            pieces = cut(context, context.mark(), options) if failure is None else []
            with context.store.write() as connection:
                watermark.begin_to_look(connection, held)
                slices.plan(
                    connection, held, [piece.number for piece in pieces if piece.kind == "range"]
                )
    except BaseException as error:
        give_up(context, held, _status_unbegun(error))
        raise
    failpoints.reach("after_plan")
    return Plan(
        held.owner,
        held.token,
        held.destination_id,
        mark_from.cursor if mark_from else None,
        pieces,
        options,
        context.facts,
    ), failure


def deliver(
    context: RunContext, planned: Plan, piece: Piece, watch: Watch | None = None
) -> RunFailure | None:
    """Deliver one piece of a plan, as a step of its own; returns why it ended early, if it did. The counts are in the state.

    A step that was cut off may be run again: it goes on from what is recorded.
    """
    try:
        with Heartbeat(context.store, planned.lease):
            failure = _deliver(context, planned, [piece], watch)
        _hand_over(context, planned.lease)
    except ConnectorError as error:
        return RunFailure.of(error)
    return failure


def _deliver(
    context: RunContext, planned: Plan, pieces: Sequence[Piece], watch: Watch | None
) -> RunFailure | None:
    """Deliver pieces with one sender, so that the pages of one are read and sent while the last ones of the piece before are under way."""
    refuse_too_early(context)
    checkpointer = Checkpointer(context.store, planned.lease, planned.run_id)
    try:
        with context.sender(accept_all=planned.options.yes) as sender:
            error = recover(
                context,
                planned.lease,
                checkpointer,
                partial(_carry_with, sender, watch),
                [piece.number for piece in pieces],
            )
            error = error or carry(
                pages_of(context, pieces, resumed=True), sender, checkpointer, watch
            )
            return _noted(context, sender, error)
    except ConnectorError as error:
        return RunFailure.of(error)


def settle(context: RunContext, planned: Plan, failure: RunFailure | None) -> Report:
    """End the run: its status, the lease, entries that are too old; and say what it did. Raises RunStopped where that was done before."""
    failpoints.reach("before_settle")
    _refuse_ended(context, planned.run_id)
    try:
        if failure is None:
            _ask(context, planned.run_id)
        with context.store.write() as connection:
            if failure is None:
                _note_look(connection, planned)
            runs.finish(connection, planned.run_id, _status(failure))
            release(connection, planned.lease)
        if failure is None:
            forget_old(context)
        with context.store.read() as connection:
            row = runs.get(connection, planned.run_id) or {}
            tallies = runs.tallies(connection, planned.run_id)
    except StateError as error:
        return Report(
            planned.run_id,
            mark_from=planned.mark_from,
            complete=False,
            failure=failure or RunFailure.of(error),
        )
    return Report(
        planned.run_id,
        **{name: int(row.get(name) or 0) for name in (*COUNTS, "changed")},
        mark_from=planned.mark_from,
        mark_to=row.get("mark_to") or planned.mark_from,
        complete=failure is None,
        seconds=round(row.get("seconds") or 0.0, 3),
        tallies=tallies,
        facts=planned.facts,
        failure=failure,
    )


def _ask(context: RunContext, run_id: str) -> None:
    """Learn of results that the platform tells only later. Most platforms tell everything at once, and need nothing of that."""
    if context.destination.platform.answers.poll is not None:
        from connector.engine.deferred import settle_deferred

        settle_deferred(context, run_id)


def _refuse_ended(context: RunContext, run_id: str) -> None:
    """A run that is over cannot go on: its lease is gone, and its counts were reported."""
    with contextlib.suppress(StateError), context.store.read() as connection:
        row = runs.get(connection, run_id)
        if row is not None and row["status"] in ("complete", "incomplete", "failed"):
            raise RunStopped(
                f"{context.name}: run {run_id} has ended and was reported; start a new run, which goes on from where it stopped"
            )


def try_out(context: RunContext, options: Options, watch: Watch | None = None) -> Report:
    """A dry run, or a run in the platform's test mode: nothing of it is recorded, and the mark stays."""
    started = context.clock()
    after = (context.mark() if context.destination_id else None) or beginning(context)
    refuse_overlooked(context, after, replace(options, yes=True))
    _say_how_many_wait(context, options, watch)
    checkpointer, failure = Unrecorded(), None
    pages = pages_of(context, what_waits(context, after, replace(options, replay_rejected=False)))
    if options.dry_run:
        rehearse(pages, checkpointer, watch)
    else:
        with context.sender(accept_all=True) as sender:
            failure = _noted(context, sender, carry(pages, sender, checkpointer, watch))
    place = None if after is None else after.cursor
    counts = {name: checkpointer.counts[name] for name in (*COUNTS, "changed", "unsent")}
    tallies = {kind: dict(names) for kind, names in checkpointer.tallies.items()}
    seconds = round((context.clock() - started).total_seconds(), 3)
    return Report(
        uuid.uuid4().hex,
        **counts,
        mark_from=place,
        mark_to=place,
        complete=failure is None,
        seconds=seconds,
        tallies=tallies,
        facts=context.facts,
        failure=failure,
    )


def pages_of(
    context: RunContext, pieces: Sequence[Piece], *, resumed: bool = False
) -> Iterator[list[Page]]:
    """The pages of pieces, one piece after the other, made while they are taken. resumed: each slice from where it is recorded without a gap."""
    page_builder = context.page_builder()
    for piece in pieces:
        rows = piece.range
        if piece.kind == "range":
            yield from page_builder.of_range(
                piece.number,
                replace(rows, after=_reached(context, piece) or rows.after) if resumed else rows,
                piece.most,
            )
        elif piece.kind == "replay":
            yield from quarantined_pages(context, page_builder, piece)
        else:
            yield from page_builder.missing(piece.number, piece.kind, rows)


def give_up(context: RunContext, held: Lease, status: str = "interrupted") -> None:
    """Note that a run broke off, and let the next one in."""
    with contextlib.suppress(ConnectorError), context.store.write() as connection:
        runs.finish(connection, held.owner, status)
        release(connection, held)


def is_recorded(destination: Destination, options: Options) -> bool:
    """Whether a run leaves a trace: neither a dry run nor a test may use up what waits."""
    return options.recorded and not destination.model.test_mode


def in_mode(destination: Destination, options: Options) -> Destination:
    """The destination as this run uses it. Raises ConfigError where a test was asked for that the platform does not have."""
    if not options.test_mode or destination.model.test_mode:
        return destination
    model = destination.model.model_copy(update={"test_mode": True})
    problem = test_mode_problem(model, destination.platform)
    if problem is not None:
        raise ConfigError(f"{destination.name}: {problem}")
    return replace(destination, model=model)


def _say_how_many_wait(context: RunContext, options: Options, watch: Watch | None) -> None:
    waiting = int(context.facts.get("waiting") or 0)
    if watch is not None:
        watch.expect(waiting if options.limit is None else min(waiting, options.limit))


def _first_mark(context: RunContext, held: Lease) -> Mark | None:
    after = context.mark()
    if after is None:
        after = beginning(context)
        remember_start(context, after, held)
    return after


def _reached(context: RunContext, piece: Piece) -> Mark | None:
    with context.store.read() as connection:
        return slices.reached(connection, context.destination_id, piece.number)


def _hand_over(context: RunContext, held: Lease) -> None:
    with context.store.write() as connection:
        hand_over(connection, held)


def _recover(
    context: RunContext, held: Lease, options: Options, watch: Watch | None
) -> RunFailure | None:
    checkpointer = Checkpointer(context.store, held, held.owner)
    with context.sender(accept_all=options.yes) as sender:
        return _noted(
            context,
            sender,
            recover(context, held, checkpointer, partial(_carry_with, sender, watch)),
        )


def _carry_with(
    sender: Callable[[], Sender],
    watch: Watch | None,
    pages: Iterator[list[Page]],
    checkpointer: Checkpointer,
) -> ConnectorError | None:
    return carry(pages, sender, checkpointer, watch)


def _note_look(connection: Connection, planned: Plan) -> None:
    """Remember from which mark this run looked back, if it did."""
    for piece in planned.pieces:
        place = piece.before if piece.upto is None else piece.upto.cursor
        if piece.kind == "late" and place is not None:
            watermark.set_looked_behind(connection, planned.lease, place)


def _noted(
    context: RunContext, sender: Callable[[], Sender], error: ConnectorError | None
) -> RunFailure | None:
    """An early end as plain data; where the platform named a time, the state remembers it."""
    if error is None:
        return None
    not_before = sender().not_before
    if not_before is not None and context.destination_id:
        with context.store.write() as connection:
            registry.set_not_before(connection, context.destination_id, int(not_before * 1_000_000))
    return RunFailure.of(error)


def _status_unbegun(error: BaseException) -> str:
    """Of a run that sent nothing: it was not allowed to, or the warehouse could not be read, or it was cut off."""
    if isinstance(error, SystemicError):
        return "failed"
    return "refused" if isinstance(error, ConfigError | RunStopped) else "interrupted"


def _status(failure: RunFailure | None) -> str:
    if failure is None:
        return "complete"
    return "incomplete" if failure.exit_code == 1 else "failed"
