"""`dg scaffold defs`: the same files as `capi init` writes."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from connector.commands.init import write_destination
from connector.errors import ConnectorError


class ScaffoldParams(BaseModel):
    """Options of `dg scaffold defs ... NAME`."""

    platform: str = Field("capi", description="a platform, or the path of a platform file")
    table: str | None = Field(
        None, description="table or view of the conversions; its columns are mapped by name"
    )
    warehouse: str = Field(
        "env:WAREHOUSE_URL", description="a SQLAlchemy URL without a password, or env:NAME"
    )


class CapiDestinationScaffolder(dg.Scaffolder[Any]):
    """Writes a commented `defs.yaml` and its query."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """The options."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write both files."""
        params = request.params if isinstance(request.params, ScaffoldParams) else ScaffoldParams()
        try:
            write_destination(
                request.target_path,
                platform=params.platform,
                table=params.table,
                warehouse=params.warehouse,
                root=request.project_root or request.target_path,
                yaml_type=request.type_name,
            )
        except ConnectorError as error:
            raise dg.DagsterInvalidDefinitionError(str(error)) from None
