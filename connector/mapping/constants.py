"""Values that are the same in every row: `=text`, `account.x` and `param.x`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from connector.config.destination import Destination
from connector.platforms.expression import Pipeline

Constants = Mapping[str, Mapping[str, Any]]
"""Space (`account` or `param`) -> name -> value."""


def constants_of(destination: Destination) -> Constants:
    """The account keys of a destination, with defaults, and the parameters of its platform."""
    platform = destination.platform
    defaults = {
        name: field.default for name, field in platform.account.items() if field.default is not None
    }
    return {
        "account": {**defaults, **destination.model.account},
        "param": dict(platform.params),
    }


def constant_column(pipeline: Pipeline, constants: Constants, rows: int) -> pa.Array:
    """A constant as text for every row; null where an optional account key is not given."""
    value = (
        pipeline.name
        if pipeline.space == "literal"
        else constants[pipeline.space].get(pipeline.name)
    )
    return pa.array([None if value is None else str(value)] * rows, pa.string())
