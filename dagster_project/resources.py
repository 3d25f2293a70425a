"""Dagster resources: where conversions come from, where progress is kept, and what sends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import dagster as dg
from dagster.components.core.decl import PythonFileDecl

from connector.commands import steps
from connector.commands.reconcile import Reconciliation, reconcile
from connector.commands.send import send
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.config.loader import Target, destination_of
from connector.engine.context import RunContext, open_context
from connector.engine.plan import Options, Plan, Slice
from connector.engine.report import Report, RunFailure
from connector.engine.run import Planned
from connector.engine.slice_ends import SliceEnd, end_slice
from connector.sandbox.preflight import PreflightStep, preflight

if TYPE_CHECKING:
    import pandas as pd


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where conversions are read, if not where each destination's YAML says.

    Attributes:
        reference: `env:NAME`, `file:PATH` or a URL without a password; for all destinations, for
            example to point a staging deployment elsewhere.
    """

    reference: str | None = None

    def of(self, destination: Destination) -> Destination:
        """The destination, reading from this warehouse."""
        if self.reference is None:
            return destination
        source = destination.model.source.model_copy(update={"warehouse": self.reference})
        return replace(destination, model=destination.model.model_copy(update={"source": source}))


class State(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where progress is kept.

    Attributes:
        url: A SQLAlchemy URL; default: what CAPI_STATE_URL says, or SQLite under `.capi/`.
    """

    url: str | None = None


class CapiResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Plans a run, delivers its slices, settles it; each step may run in a process of its own."""

    warehouse: dg.ResourceDependency[Warehouse]
    state: dg.ResourceDependency[State]

    @contextmanager
    def session(self, destination: Destination) -> Iterator[RunContext]:
        """The destination's state and warehouse, opened together."""
        with open_context(self.warehouse.of(destination), state=self.state.url) as session:
            yield session

    def plan(self, destination: Destination, options: Options, run_id: str) -> Planned:
        """Take the lease and plan the slices; see `connector.plan`."""
        target = self.warehouse.of(destination)
        return steps.plan(target, options=options, run_id=run_id, state=self.state.url)

    def deliver(self, destination: Destination, planned: Plan, each: Slice) -> RunFailure | None:
        """Deliver one slice of a plan; see `connector.deliver`."""
        return steps.deliver(self.warehouse.of(destination), planned, each, state=self.state.url)

    def end_slice(
        self, destination: Destination, planned: Plan, each: Slice, failure: RunFailure | None
    ) -> SliceEnd:
        """Record that a slice has ended; see `connector.engine.slice_ends`."""
        with self.session(destination) as session:
            return end_slice(session, planned, each, failure)

    def settle(self, destination: Destination, planned: Plan, failure: RunFailure | None) -> Report:
        """End the run and report; see `connector.settle`."""
        return steps.settle(self.warehouse.of(destination), planned, failure, state=self.state.url)

    def send(self, frame: "pd.DataFrame", *, destination: Target) -> Report:
        """Deliver the rows of a frame, for an asset of one's own; see `connector.send`.

            @dg.asset
            def vip_orders(capi: CapiResource) -> None:
                report = capi.send(frame, destination="defs/acme_dsp/defs.yaml")

        Raises:
            ConnectorError: The run could not begin.
        """
        target = self.warehouse.of(destination_of(destination))
        return send(frame, target, state=self.state.url)

    def run_unrecorded(self, destination: Destination, options: Options) -> Report:
        """A dry run, or a run in test mode."""
        return sync(self.warehouse.of(destination), options=options, state=self.state.url)

    def preflight(self, destination: Destination) -> list[PreflightStep]:
        """Go through the integration checklist."""
        return preflight(self.warehouse.of(destination), state=self.state.url)

    def reconcile(self, destination: Destination, *, send: bool, run_id: str) -> Reconciliation:
        """Compare every row behind the watermark with the ledger; see `connector.reconcile`."""
        return reconcile(
            self.warehouse.of(destination), send=send, run_id=run_id, state=self.state.url
        )


KEY = "capi"
"""What the resource of every destination is called."""

DEFAULT = CapiResource(warehouse=Warehouse(), state=State())
"""One for all: Dagster lets definitions share a key only where they share the object."""


def resources_of(context: dg.ComponentLoadContext) -> dict[str, CapiResource]:
    """The resource that a component brings; none where a Python file under `defs/` has its own.

    Raises:
        DagsterInvalidDefinitionError: That one is no `CapiResource`.
    """
    if not isinstance(context.component_tree.defs_module, ModuleType):
        return {KEY: DEFAULT}  # the tree of a unit test, which stands for no folder
    for declared in context.component_tree.find_root_decl().iterate_all_component_decls():
        if not isinstance(declared, PythonFileDecl) or declared.decls:
            continue  # a file that builds components may build this one
        own = (context.build_defs(declared.loc).resources or {}).get(KEY)
        if isinstance(own, CapiResource):
            return {}
        if own is not None:
            raise dg.DagsterInvalidDefinitionError(
                f"the resource '{KEY}' of {declared.loc} is a {type(own).__name__}; destinations"
                " need a dagster_project.resources.CapiResource there. Give the other one another"
                " key"
            )
    return {KEY: DEFAULT}
