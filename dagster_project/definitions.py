"""What Dagster loads: every destination under `defs/`, the resources, and the executor."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from dagster_project.resources import CapiResource, State, Warehouse


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of this project."""
    warehouse, state = Warehouse(), State()
    resources = {
        "warehouse": warehouse,
        "state": state,
        "capi": CapiResource(warehouse=warehouse, state=state),
    }
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(
        loaded, dg.Definitions(resources=resources, executor=dg.in_process_executor)
    )
