"""What a host of the library, such as an orchestrator, adds to a destination's YAML.

The library knows no host by name. A host registers a `Host` under the entry point group
`connector.hosts` of its package, and is found by the `type` that the YAML names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from connector.config.destination import Destination
from connector.config.models import DestinationModel
from connector.errors import ConfigError

GROUP = "connector.hosts"

Inconsistency = tuple[tuple[str, ...], str]
"""Keys below `attributes` of the YAML, and a sentence on what is wrong there."""


def _nothing(_destination: Destination) -> Iterator[Inconsistency]:
    return iter(())


@dataclass(frozen=True)
class Host:
    """Keys and checks that one host adds.

    Attributes:
        yaml_type: Value of the YAML's `type`; empty where no host is registered.
        model: The keys under `attributes`.
        problems: What is wrong with a destination for this host. Runs whenever one is read.
        slow_problems: The same, where it takes long to find out. Runs in `check` alone.
    """

    yaml_type: str
    model: type[DestinationModel]
    problems: Callable[[Destination], Iterator[Inconsistency]] = _nothing
    slow_problems: Callable[[Destination], Iterator[Inconsistency]] = _nothing

    @functools.cached_property
    def file_model(self) -> type[BaseModel]:
        """The whole YAML file: `type` and `attributes`."""
        kind: Any = Literal[self.yaml_type] if self.yaml_type else str
        return create_model(
            "DestinationFile",
            __config__=ConfigDict(title="A destination", extra="forbid", frozen=True, strict=True),
            __doc__="The YAML file of one destination.",
            type=(kind, self.yaml_type),
            attributes=(self.model, ...),
        )


def host_of(yaml_type: object = None) -> Host:
    """The host that a YAML's `type` names; for any other value the first one that is registered.

    Raises:
        ConfigError: A registered host cannot be imported.
    """
    found = _hosts()
    return next((host for host in found if host.yaml_type == yaml_type), found[0])


def json_schema() -> dict[str, Any]:
    """JSON Schema of a destination's file, for editors."""
    schema = host_of().file_model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@functools.cache
def _hosts() -> tuple[Host, ...]:
    found = []
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            found.append(entry.load())
        except (ImportError, AttributeError):
            raise ConfigError(
                f"{entry.value}, which belongs to this installation, cannot be imported. Another"
                f" package with the name {entry.module.partition('.')[0]} may come first on"
                " Python's path: rename it, or install the connector anew"
            ) from None
    return tuple(found) or (Host("", DestinationModel),)
