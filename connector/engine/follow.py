"""Runs one after the other in one process, for rows that are delivered as they are committed.

Each run lasts a minute, and is what any other run is: it has a report, a lease and checks. Within
it what waits is looked for and delivered round after round. State, warehouse, connections to the
platform and the encoder stay open; the lease passes from each run to the next one.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from connector.engine.backlog import LOOK_BACK_SECONDS
from connector.engine.context import RunContext
from connector.engine.drift import remember
from connector.engine.guards import inspect_source
from connector.engine.plan import Options, Plan, Slice
from connector.engine.planner import late_slice, new_slices
from connector.engine.report import Report, RunFailure
from connector.engine.run import (
    OpenSender,
    Planned,
    abort,
    begin_slices,
    deliver_slices,
    prepare,
    settle,
)
from connector.errors import ConnectorError
from connector.model import Mark
from connector.state.lease import Heartbeat, Lease, release

log = logging.getLogger(__name__)

REPORT_SECONDS = 60.0
"""How long a run lasts, and so how often there is a report."""

LONGEST_PAUSE = 60.0
"""Seconds after which what is lost is asked for again, at most."""

WAITED_OUT = (
    "WarehouseError",
    "StateError",
    "EndpointError",
    "Postponed",
    "LeaseHeld",
    "Fenced",
)
"""Kinds of failures that pass without anybody changing the destination. Credentials are read anew
after each, so a token that was renewed in its file is found."""


class Follower:
    """Delivers what waits, until it is stopped."""

    def __init__(
        self,
        context: RunContext,
        options: Options,
        every: float,
        stop: threading.Event,
        on_report: Callable[[Report], None],
    ) -> None:
        """For one destination.

        Args:
            context: The destination.
            options: What all of the runs are asked to do.
            every: Seconds from the beginning of a round to that of the next.
            stop: Ends it, once the requests under way are answered and recorded.
            on_report: Called with each report.
        """
        self._context, self._options, self._every = context, options, every
        self._stop, self._on_report = stop, on_report
        self._run_id = uuid.uuid4().hex
        """Of the next run, for which the lease may be kept already."""
        self._next_look = 0.0
        self._kept: Lease | None = None

    def follow(self) -> Report:
        """Run after run, until it is stopped or a person must change something.

        Returns:
            The last report.

        Raises:
            ConnectorError: A run may not begin before a person has changed something.
        """
        try:
            return self._until_stopped()
        finally:
            self._release_lease()

    def _until_stopped(self) -> Report:
        failures = 0
        while True:
            report = self._runs()
            if self._stop.is_set() or not is_waited_out(report):
                return report
            failures = failures + 1 if not report.http_requests else 1
            # Connections that broke are opened anew.
            self._context.warehouse.close()
            self._stop.wait(pause_after(failures))
            if self._stop.is_set():
                return report

    def _runs(self) -> Report:
        """Runs with one sender, until one of them fails."""
        with ExitStack() as opened:
            sender: OpenSender | None = None
            while True:
                try:
                    if sender is None:
                        accept_all = self._options.yes
                        sender = opened.enter_context(self._context.sender(accept_all=accept_all))
                    report = self._run(sender)
                except ConnectorError as error:
                    report = _not_begun(self._run_id, error)
                    if not is_waited_out(report):
                        raise
                    log.warning("%s: %s", self._context.name, error)
                self._on_report(report)
                if report.failure is not None or self._stop.is_set():
                    return report

    def _run(self, sender: OpenSender) -> Report:
        """One run."""
        context = self._context
        context.budget.begin_run()
        planned = prepare(context, self._options, "sync", self._slices, run_id=self._run_id)
        try:
            with Heartbeat(context.store, planned.plan.lease):
                failure = planned.failure or self._rounds(planned, sender)
                context.keep_concurrency()
                work = replace(planned.plan, facts=context.facts)
                following = None if self._stop.is_set() else uuid.uuid4().hex
                report = settle(context, work, failure, following=following)
        except BaseException:
            abort(context, planned.plan.lease)
            raise
        self._run_id = following or self._run_id
        self._kept = planned.plan.lease
        return report

    def _rounds(self, planned: Planned, sender: OpenSender) -> RunFailure | None:
        """Deliver what the run was planned with, and then what comes, until it has lasted."""
        began = time.monotonic()
        work, slices = planned.plan, planned.plan.slices
        while True:
            due = time.monotonic() + self._every
            failure = self._deliver(work, slices, sender)
            if failure is not None:
                return failure
            self._release_file()
            self._stop.wait(due - time.monotonic())
            if self._stop.is_set() or time.monotonic() - began >= REPORT_SECONDS:
                return None
            try:
                slices = self._plan_round(work)
            except ConnectorError as error:
                return RunFailure.of(error)

    def _plan_round(self, work: Plan) -> list[Slice]:
        """What is new, by the guards of any run."""
        context = self._context
        place = context.watermark()
        found = inspect_source(context, place, work.options)
        if found.everything:
            remember(context, work.lease, found)
        slices = new_slices(context, place, work.options)
        if slices:
            begin_slices(context, work.lease, slices)
        return slices

    def _deliver(self, work: Plan, slices: list[Slice], sender: OpenSender) -> RunFailure | None:
        """Deliver slices; late rows are looked for once the new ones are recorded, as ever."""
        for kind in ("range", "late"):
            chosen = [each for each in slices if each.kind == kind]
            if chosen:
                stop = self._stop.is_set
                failure = deliver_slices(self._context, work, chosen, sender, stop=stop)
                if failure is not None:
                    return failure
        return None

    def _slices(self, context: RunContext, after: Mark | None, options: Options) -> list[Slice]:
        """What a run begins with: what is new, and now and then what came late."""
        slices = new_slices(context, after, options)
        if time.monotonic() >= self._next_look:
            slices += late_slice(context, after, len(slices))
            self._next_look = time.monotonic() + LOOK_BACK_SECONDS
        return slices

    def _release_lease(self) -> None:
        """Let others in, where the lease was kept for a run that does not come."""
        if self._kept is not None:
            with contextlib.suppress(ConnectorError), self._context.store.write() as connection:
                release(connection, self._kept)

    def _release_file(self) -> None:
        """Close a warehouse that is a file, which nobody else could write to."""
        warehouse = self._context.warehouse.warehouse
        if warehouse.dialect.file(warehouse.url) is not None:
            warehouse.close()


def is_waited_out(report: Report) -> bool:
    """Whether a failure passes by itself, or there is none."""
    return report.failure is None or report.failure.kind in WAITED_OUT


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, with jitter."""
    return random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, 2.0 ** min(failures, 10))  # noqa: S311


def _not_begun(run_id: str, error: ConnectorError) -> Report:
    return Report(run_id, complete=False, failure=RunFailure.of(error))
