"""`CapiDestination`: one `defs.yaml` -> asset, checks, schedule, sensor and jobs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from connector.config.destination import Destination, DestinationModel, assemble, load
from connector.errors import DestinationError
from dagster_project.components.asset import asset_key, build_asset
from dagster_project.components.automation import (
    build_alerts,
    build_reconcile,
    build_schedule,
    build_sensor,
)


class CapiDestination(dg.Component):
    """A destination of conversions. Its YAML is `connector.config.destination.DestinationModel`, as on the command line."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """How `dg` lists this component."""
        return dg.ComponentTypeSpec(
            description="Delivers conversions from a warehouse query to an ad platform's Conversions API, incrementally.",
            tags=["capi", "reverse-etl"],
            produces=["asset", "asset_check", "schedule", "sensor", "job"],
        )

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The schema: the connector's own model."""
        return DestinationModel

    @classmethod
    def load(
        cls, attributes: BaseModel | None, context: dg.ComponentLoadContext
    ) -> CapiDestination:
        """Read the file again, strictly: Dagster's own reader lets duplicate keys and YAML 1.1 surprises pass."""
        folder = Path(context.path)
        try:
            if (folder / "defs.yaml").is_file():
                return cls(load(folder / "defs.yaml", Path(context.project_root)))
            assert isinstance(attributes, DestinationModel)
            return cls(assemble(folder.name, attributes, Path(context.project_root), None))
        except DestinationError as error:
            message = str(error)
        raise dg.DagsterInvalidDefinitionError(message)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything that Dagster shows of this destination."""
        destination = self.destination
        asset = build_asset(destination)
        reconcile = build_reconcile(destination)
        schedule, sensor, alerts = (
            build_schedule(destination, asset),
            build_sensor(destination, asset_key(destination)),
            build_alerts(destination),
        )
        return dg.Definitions(
            assets=[asset],
            jobs=[reconcile.job],
            schedules=[each for each in (schedule, reconcile.schedule) if each is not None],
            sensors=[each for each in (sensor, alerts) if each is not None],
        )
