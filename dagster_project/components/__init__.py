"""Components: what a `defs.yaml` may be."""

from dagster_project.components.capi_destination import CapiDestination

__all__ = ["CapiDestination"]
