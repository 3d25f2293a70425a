"""Components: what a `defs.yaml` may be."""

from dagster_project.components.component import CapiDestination

__all__ = ["CapiDestination"]
