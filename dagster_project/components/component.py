"""`CapiDestination`: one `defs.yaml` -> asset, checks, schedule, sensor and jobs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from connector.config.destination import Destination
from connector.config.documents import FILE
from connector.config.loader import assemble, load
from connector.errors import DestinationError
from dagster_project.components.assets import build_asset
from dagster_project.components.automation import (
    build_alerts,
    build_automation,
    build_preflight,
    build_reconcile,
    build_schedule,
    build_sensor,
)
from dagster_project.components.scaffolder import CapiDestinationScaffolder
from dagster_project.components.translator import asset_spec, with_source
from dagster_project.executor import chosen_executor
from dagster_project.model import HOST, CapiDestinationModel, schedule_problems
from dagster_project.resources import resources_of


@dg.scaffold_with(CapiDestinationScaffolder)
class CapiDestination(dg.Component):
    """A destination of conversions; its YAML means the same to the command line."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """How `dg` lists this component."""
        return dg.ComponentTypeSpec(
            description="Delivers conversions from a warehouse query to an ad platform's"
            " Conversions API, incrementally.",
            tags=["capi", "reverse-etl"],
            produces=["asset", "asset_check", "schedule", "sensor", "job"],
        )

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The schema: the connector's own model, with the keys that are for Dagster."""
        return CapiDestinationModel

    @classmethod
    def load(
        cls, attributes: BaseModel | None, context: dg.ComponentLoadContext
    ) -> CapiDestination:
        """Read the file again, strictly.

        Dagster's own reader lets duplicate keys and surprises of YAML 1.1 pass.
        """
        folder, root = Path(context.path), Path(context.project_root)
        try:
            assert attributes is None or isinstance(attributes, CapiDestinationModel)
            name = attributes.name if attributes is not None else None
            if (folder / FILE).is_file():
                file = folder / FILE
                return cls(_checked(load(f"{file}#{name}" if name else file, root)))
            assert attributes is not None
            return cls(_checked(assemble(name or folder.name, attributes, root, None, host=HOST)))
        except DestinationError as error:
            message = str(error)
        raise dg.DagsterInvalidDefinitionError(message)

    def get_asset_spec(self, destination: Destination) -> dg.AssetSpec:
        """How the asset looks; for a subclass to override.

        Start from `super().get_asset_spec(destination)` and change it by `replace_attributes`.
        """
        return asset_spec(destination)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything that Dagster shows of this destination."""
        destination = self.destination
        spec = with_source(self.get_asset_spec(destination), destination)
        asset = build_asset(destination, spec)
        reconcile = build_reconcile(destination, spec.key)
        schedule = build_schedule(destination, asset)
        sensors = (
            build_sensor(destination, spec.key),
            build_automation(destination, spec),
            build_alerts(destination),
        )
        return dg.Definitions(
            assets=[asset],
            jobs=[reconcile.job, build_preflight(destination)],
            schedules=[each for each in (schedule, reconcile.schedule) if each is not None],
            sensors=[each for each in sensors if each is not None],
            resources=resources_of(context),
            executor=chosen_executor(),
        )


def _checked(destination: Destination) -> Destination:
    problems = [destination.problem(text, keys) for keys, text in schedule_problems(destination)]
    if problems:
        raise DestinationError(problems)
    return destination
