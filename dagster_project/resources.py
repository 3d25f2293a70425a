"""Dagster resources: where conversions come from, where progress is kept, and what sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg
from sqlalchemy.engine import make_url

from connector.commands.reconcile import Reconciliation, reconcile_in
from connector.config.destination import Destination
from connector.engine.context import RunContext, open_context
from connector.engine.plan import Options, Plan, Slice
from connector.engine.report import Report, RunFailure
from connector.engine.run import deliver, plan, settle
from connector.engine.unrecorded import in_mode, run_unrecorded
from connector.state.store import state_url


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where conversions are read. Each destination's YAML names its own; `reference` replaces it for all of them.

    reference: `env:NAME`, `file:PATH` or a URL without a password, for example to point a staging deployment elsewhere.
    """

    reference: str | None = None

    def of(self, destination: Destination) -> Destination:
        """The destination, reading from this warehouse."""
        if self.reference is None:
            return destination
        source = destination.model.source.model_copy(update={"warehouse": self.reference})
        return replace(destination, model=destination.model.model_copy(update={"source": source}))


class State(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where progress is kept. url: a SQLAlchemy URL; default: what CAPI_STATE_URL says, or SQLite under `.capi/`."""

    url: str | None = None

    @contextmanager
    def session(self, destination: Destination) -> Iterator[RunContext]:
        """Open a destination's state and warehouse."""
        url = make_url(self.url) if self.url else state_url(destination.root)
        with open_context(destination, state=url) as session:
            yield session


class CapiResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Sends conversions: plans a run, delivers its slices, settles it. Each step may run in a process of its own."""

    warehouse: dg.ResourceDependency[Warehouse]
    state: dg.ResourceDependency[State]

    @contextmanager
    def session(
        self,
        destination: Destination,
        options: Options = Options(),  # noqa: B008  frozen
    ) -> Iterator[RunContext]:
        """Everything that a step needs."""
        with self.state.session(in_mode(self.warehouse.of(destination), options)) as session:
            yield session

    def plan(
        self, destination: Destination, options: Options, run_id: str
    ) -> tuple[Plan, RunFailure | None]:
        """Take the lease and cut the work into slices."""
        with self.session(destination, options) as session:
            return plan(session, options, run_id=run_id)

    def deliver(
        self, destination: Destination, planned: Plan, work_slice: Slice
    ) -> RunFailure | None:
        """Send one slice and record what became of it."""
        with self.session(destination, planned.options) as session:
            return deliver(session, planned, work_slice)

    def settle(self, destination: Destination, planned: Plan, failure: RunFailure | None) -> Report:
        """End the run and report."""
        with self.session(destination, planned.options) as session:
            return settle(session, planned, failure)

    def run_unrecorded(self, destination: Destination, options: Options) -> Report:
        """A dry run, or a run in test mode."""
        with self.session(destination, options) as session:
            return run_unrecorded(session, options)

    def reconcile(self, destination: Destination, *, send: bool, run_id: str) -> Reconciliation:
        """Compare every row behind the mark with the ledger."""
        with self.session(destination) as session:
            return reconcile_in(session, send=send, run_id=run_id)
