"""One run: lease, recover, plan; then read, encode, send and record its slices; then settle.

`run` does all of it in one process. `plan`, `deliver` and `settle` are its three parts, which an
orchestrator runs as steps that may live in different processes: what passes between them is plain
data, what must last is in the state.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from connector.engine import failpoints
from connector.engine.audit import AuditTrail
from connector.engine.bounds import first_watermark, set_first_watermark
from connector.engine.checkpoint import Checkpointer
from connector.engine.completeness import count_closed_window
from connector.engine.context import RunContext
from connector.engine.drift import remember
from connector.engine.guards import inspect_source, refuse_too_early
from connector.engine.history import usual_match
from connector.engine.pipeline import Progress, deliver_pages
from connector.engine.plan import Options, Plan, Slice
from connector.engine.planner import PlanSlices, plan_slices
from connector.engine.recovery import recover
from connector.engine.registration import note_token, older_state, register
from connector.engine.report import COUNTS, Report, RunFailure
from connector.engine.retention import prune
from connector.engine.slice_reader import read_slices
from connector.errors import (
    ConfigError,
    ConnectorError,
    RunStopped,
    StateError,
    StateMismatch,
    SystemicError,
    WarehouseError,
)
from connector.model import Mark, Page
from connector.state import concurrency, registry, runs, slice_progress, watermark
from connector.state.lease import Heartbeat, Lease, acquire, hand_over, release, reserve

if TYPE_CHECKING:
    from connector.delivery.sender import Sender
log = logging.getLogger(__name__)


OpenSender = Callable[[], "Sender"]
"""Opens the sender of a run when it is first called, and returns the same one from then on."""


@dataclass(frozen=True)
class Planned:
    """A plan, and whether it may be begun.

    Attributes:
        plan: The slices of the run.
        failure: Why nothing of it may be begun; None where all is well.
    """

    plan: Plan
    failure: RunFailure | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values, to hand on to another process."""
        failure = None if self.failure is None else self.failure.to_json()
        return {"plan": self.plan.to_json(), "failure": failure}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Planned:
        """The reverse of `to_json`."""
        failure = values["failure"]
        return cls(
            Plan.from_json(values["plan"]),
            None if failure is None else RunFailure.from_json(failure),
        )


def run(context: RunContext, planned: Planned, progress: Progress | None = None) -> Report:
    """Deliver all slices of a plan in this process, then settle.

    Slices of new rows follow each other without a pause. Late rows and rows that are tried again
    are looked for once the new ones are recorded.

    Args:
        context: The destination.
        planned: What `prepare` or `plan` returned.
        progress: Notified of rows that are settled.

    Raises:
        ConnectorError: The run broke off; its lease is released.
    """
    work, failure = planned.plan, planned.failure
    try:
        with Heartbeat(context.store, work.lease):
            for _, slices in itertools.groupby(work.slices, lambda each: each.kind):
                failure = failure or _deliver(context, work, list(slices), progress)
            return settle(context, work, failure)
    except BaseException:
        abort(context, work.lease)
        raise


def plan(
    context: RunContext,
    options: Options,
    *,
    run_id: str | None = None,
    progress: Progress | None = None,
) -> Planned:
    """Plan a scheduled run as a step of its own; `deliver` may go on in another process.

    Args:
        context: The destination.
        options: What the run was asked to do.
        run_id: Its name; default: a new one.
        progress: Notified of rows that recovery settles.

    Raises:
        ConfigError, LeaseHeld, GuardRail, Postponed, WarehouseError: The run may not begin.
    """
    planned = prepare(context, options, "sync", plan_slices, run_id=run_id, progress=progress)
    _hand_over(context, planned.plan.lease)
    return planned


def prepare(
    context: RunContext,
    options: Options,
    kind: str,
    cut: PlanSlices,
    *,
    run_id: str | None = None,
    progress: Progress | None = None,
) -> Planned:
    """Take the lease, settle what an interrupted run left, and plan the slices.

    Args:
        context: The destination.
        options: What the run was asked to do.
        kind: Of the run: sync, replay or reconcile.
        cut: Plans the slices, once the lease is held.
        run_id: Its name; default: a new one.
        progress: Notified of rows that recovery settles.

    Raises:
        ConfigError, LeaseHeld, GuardRail, Postponed, WarehouseError: The run may not begin.
    """
    held = take_lease(context, run_id, kind)
    try:
        with Heartbeat(context.store, held):
            refuse_too_early(context)
            mark_from = _watermark(context, held)
            guarded = options if kind == "sync" else None
            remember(context, held, inspect_source(context, mark_from, guarded))
            accept_all = options.yes or kind != "sync"
            failure = settle_leftovers(context, held, accept_all, progress)
            slices = cut(context, context.watermark(), options) if failure is None else []
            begin_slices(context, held, slices)
    except BaseException as error:
        abort(context, held, status_of_refusal(error), error)
        raise
    failpoints.reach("after_plan")
    planned = Plan(
        run_id=held.owner,
        token=held.token,
        destination_id=held.destination_id,
        mark_from=mark_from.cursor if mark_from else None,
        slices=slices,
        options=options,
        kind=kind,
        facts=context.facts,
    )
    return Planned(planned, failure)


def begin_slices(context: RunContext, held: Lease, slices: Sequence[Slice]) -> None:
    """Record which slices the watermark moves over from now on.

    Args:
        context: The destination.
        held: The lease of the run.
        slices: What it delivers next.
    """
    with context.store.write() as connection:
        watermark.begin_to_look(connection, held)
        numbers = [each.number for each in slices if each.kind == "range"]
        slice_progress.plan(connection, held, numbers)


def take_lease(context: RunContext, run_id: str | None, kind: str = "sync") -> Lease:
    """Register the destination, take its lease and begin a run.

    Args:
        context: The destination.
        run_id: Name of the run; None: a new one.
        kind: Of the run: sync, replay or reconcile.

    Raises:
        LeaseHeld: Another run is at work.
        ConfigError, WarehouseError: The destination is not the one that the state knows, or the
            state is older than what this machine saw of it.
    """
    name = run_id or uuid.uuid4().hex
    try:
        register(context)
        _refuse_older_state(context)
    except (ConfigError, WarehouseError) as error:
        _record_refusal(context, name, kind, error)
        raise
    with context.store.write() as connection:
        held = acquire(connection, context.destination_id, name)
        place = watermark.read(connection, context.destination_id)
        cursor = None if place is None else place.cursor
        runs.start(connection, context.destination_id, name, kind, cursor)
    context.store.forget_key()
    note_token(context, held.token)
    return held


def deliver(
    context: RunContext, planned: Plan, each: Slice, progress: Progress | None = None
) -> RunFailure | None:
    """Deliver one slice of a plan, as a step of its own.

    A step that was cut off may be run again: it continues from the last checkpoint.

    Args:
        context: The destination.
        planned: The plan that the slice is part of.
        each: The slice.
        progress: Notified of rows that are settled.

    Returns:
        Why it ended early; None where it is complete. Its counts are in the state.

    Raises:
        RunStopped: The run ended before.
    """
    _refuse_ended(context, planned.run_id)
    try:
        with Heartbeat(context.store, planned.lease):
            failure = _deliver(context, planned, [each], progress)
        _hand_over(context, planned.lease)
    except ConnectorError as error:
        return RunFailure.of(error)
    return failure


def settle(
    context: RunContext,
    planned: Plan,
    failure: RunFailure | None,
    *,
    following: str | None = None,
) -> Report:
    """End a run: record its status, release its lease, prune the ledger.

    Args:
        context: The destination.
        planned: The plan of the run.
        failure: Why it ended early, if it did.
        following: The run of this process that the lease is kept for.

    Returns:
        What the whole run did, over all of its steps.

    Raises:
        RunStopped: The run ended before.
    """
    failpoints.reach("before_settle")
    _refuse_ended(context, planned.run_id)
    try:
        if failure is None:
            _settle_deferred(context, planned.run_id)
            with contextlib.suppress(WarehouseError):  # the rows are delivered all the same
                count_closed_window(context, planned)
        with context.store.write() as connection:
            if failure is None:
                _record_lookback(connection, planned)
                if planned.reads_to_the_end:
                    registry.set_caught_up(connection, planned.destination_id)
            why = None if failure is None else (failure.kind, failure.message)
            runs.finish(connection, planned.run_id, _status_of(failure), why)
            if following is None:
                release(connection, planned.lease)
            else:
                reserve(connection, planned.lease, following)
        publish_audit(context)
        if failure is None:
            prune(context, read_to_the_end=planned.reads_to_the_end)
        report = _report(context, planned, failure)
        _log_end(context, report)
        return report
    except StateError as error:
        counts: dict[str, Any] = {name: context.recorded[name] for name in (*COUNTS, "changed")}
        return Report(
            planned.run_id,
            **counts,
            mark_from=planned.mark_from,
            complete=False,
            failure=failure or RunFailure.of(error),
        )


def abort(
    context: RunContext,
    held: Lease,
    status: str = "interrupted",
    error: BaseException | None = None,
) -> None:
    """Record that a run broke off, and release its lease. Errors of the state are dropped.

    Args:
        context: The destination.
        held: The lease of the run.
        status: What the run is recorded as.
        error: Why it broke off.
    """
    with contextlib.suppress(ConnectorError), context.store.write() as connection:
        runs.finish(connection, held.owner, status, _failure_of(error))
        release(connection, held)


def publish_audit(context: RunContext) -> None:
    """Write down what became of rows; what cannot be written now waits for the next run."""
    if context.destination.model.audit is not None:
        # Late: most destinations have none, and need no writer of Parquet.
        from connector.engine.audit_files import publish

        publish(context)


def failure_of(
    context: RunContext, sender: Callable[[], Sender], error: ConnectorError | None
) -> RunFailure | None:
    """An early end as plain data.

    If the platform asked to wait, the state records until when.

    Args:
        context: The destination.
        sender: Gives the sender of the run; called only after an error.
        error: Why the run ended; None where it did not end early.
    """
    if error is None:
        return None
    not_before = sender().not_before
    if not_before is not None and context.destination_id:
        with context.store.write() as connection:
            registry.set_not_before(connection, context.destination_id, int(not_before * 1_000_000))
    return RunFailure.of(error)


def _deliver(
    context: RunContext, planned: Plan, slices: Sequence[Slice], progress: Progress | None
) -> RunFailure | None:
    refuse_too_early(context)
    try:
        with context.sender(accept_all=planned.accepts_all_refusals) as sender:
            return deliver_slices(context, planned, slices, sender, progress)
    except ConnectorError as error:
        return RunFailure.of(error)


def deliver_slices(
    context: RunContext,
    planned: Plan,
    slices: Sequence[Slice],
    sender: OpenSender,
    progress: Progress | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> RunFailure | None:
    """Deliver slices with one sender: one is read while pages of the one before are in flight.

    Args:
        context: The destination.
        planned: The plan that the slices are part of.
        slices: What to deliver, in order.
        sender: Opens the sender.
        progress: Notified of rows that are settled.
        stop: Once it is true, no further page is begun.

    Returns:
        Why it ended early; None where all is recorded.
    """
    checkpointer = _checkpointer(context, planned.lease)
    is_cut = False

    def send(pages: Iterator[list[Page]]) -> ConnectorError | None:
        return deliver_pages(pages, sender, checkpointer, progress)

    def until_stopped() -> Iterator[list[Page]]:
        nonlocal is_cut
        for read in read_slices(context, slices, planned.options, resumed=True):
            if stop():
                is_cut = True
                return
            yield read

    try:
        numbers = [each.number for each in slices]
        error = recover(context, planned.lease, checkpointer, send, numbers)
        error = error or send(until_stopped())
        if error is None and is_cut:
            error = RunStopped(
                f"{context.name}: was asked to end while rows wait; the next run goes on from here"
            )
            return RunFailure.of(error)
        return failure_of(context, sender, error)
    except ConnectorError as error:
        return RunFailure.of(error)


def settle_leftovers(
    context: RunContext, held: Lease, accept_all: bool, progress: Progress | None
) -> RunFailure | None:
    """Settle what an interrupted run left.

    Args:
        context: The destination.
        held: The lease that permits it.
        accept_all: Refusals of nearly all records are recorded, and do not end the run.
        progress: Notified of rows that are settled.

    Returns:
        Why it ended early; None where nothing is left.
    """
    checkpointer = _checkpointer(context, held)
    with context.sender(accept_all=accept_all) as sender:

        def send(pages: Iterator[list[Page]]) -> ConnectorError | None:
            return deliver_pages(pages, sender, checkpointer, progress)

        return failure_of(context, sender, recover(context, held, checkpointer, send))


def _checkpointer(context: RunContext, held: Lease) -> Checkpointer:
    def tell(counts: Counter[str]) -> None:
        context.recorded.update(counts)
        context.instrumentation.result(counts)

    destination, audit = context.destination, None
    if destination.model.audit is not None:
        audit = AuditTrail(held.destination_id, held.owner, destination.platform.answers.codes)
    return Checkpointer(context.store, held, held.owner, tell, audit)


def _watermark(context: RunContext, held: Lease) -> Mark | None:
    """Where the watermark is; at the first run, where `source.start` puts it."""
    place = context.watermark()
    if place is None:
        place = first_watermark(context)
        set_first_watermark(context, place, held)
    return place


def _hand_over(context: RunContext, held: Lease) -> None:
    with context.store.write() as connection:
        hand_over(connection, held)


def _refuse_older_state(context: RunContext) -> None:
    with context.store.read() as connection:
        message = older_state(connection, context)
    if message is not None:
        raise StateMismatch(message)


def _failure_of(error: BaseException | None) -> tuple[str, str] | None:
    return (type(error).__name__, str(error)) if isinstance(error, ConnectorError) else None


def _record_refusal(context: RunContext, run_id: str, kind: str, error: ConnectorError) -> None:
    """So that alerts see that this destination delivers nothing any more."""
    if context.destination_id:
        with context.store.write() as connection:
            why = _failure_of(error)
            runs.refuse(connection, context.destination_id, run_id, kind, why)


def _record_lookback(connection: Connection, planned: Plan) -> None:
    """Remember from which watermark this run looked back, if it did."""
    for each in planned.slices:
        place = each.before if each.upto is None else each.upto.cursor
        if each.kind == "late" and place is not None:
            watermark.set_looked_behind(connection, planned.lease, place)


def _settle_deferred(context: RunContext, run_id: str) -> None:
    """Learn of results that the platform tells only later."""
    if context.destination.platform.answers.poll is not None:
        # Late: most platforms tell everything at once, and need nothing of that.
        from connector.engine.deferred import settle_deferred

        settle_deferred(context, run_id)


def _refuse_ended(context: RunContext, run_id: str) -> None:
    """A run that is over cannot go on: its lease is gone, and its counts were reported."""
    with contextlib.suppress(StateError), context.store.read() as connection:
        row = runs.get(connection, run_id)
        if row is not None and row["status"] in ("complete", "incomplete", "failed"):
            raise RunStopped(
                f"{context.name}: run {run_id} has ended and was reported; start a new run, which"
                " goes on from where it stopped"
            )


def _log_end(context: RunContext, report: Report) -> None:
    counts = ", ".join(f"{name} {getattr(report, name)}" for name in COUNTS if name != "rows_read")
    log.info(
        "%s: run %s has ended; rows read %d, %s%s",
        context.name,
        report.run_id,
        report.rows_read,
        counts,
        "" if report.failure is None else f"; {report.failure.message}",
    )


def _report(context: RunContext, planned: Plan, failure: RunFailure | None) -> Report:
    with context.store.read() as connection:
        row = runs.get(connection, planned.run_id) or {}
        tallies = runs.tallies(connection, planned.run_id)
        kept = concurrency.read(connection, planned.destination_id)
        number = planned.destination_id
        usual = usual_match(connection, number, planned.run_id) if row.get("delivered") else {}
    return Report(
        planned.run_id,
        **{name: int(row.get(name) or 0) for name in (*COUNTS, "changed")},
        mark_from=planned.mark_from,
        mark_to=row.get("mark_to") or planned.mark_from,
        complete=failure is None,
        seconds=round(row.get("seconds") or 0.0, 3),
        tallies=tallies,
        concurrency=None if kept is None else kept.in_flight,
        usual_match=usual,
        facts=planned.facts,
        failure=failure,
    )


def _status_of(failure: RunFailure | None) -> str:
    if failure is None:
        return "complete"
    return "incomplete" if failure.exit_code == 1 else "failed"


def status_of_refusal(error: BaseException) -> str:
    """Of a run that sent nothing: not allowed to, the warehouse unreadable, or cut off."""
    if isinstance(error, SystemicError):
        return "failed"
    return "refused" if isinstance(error, ConfigError | RunStopped) else "interrupted"
