"""What a host of the library, such as an orchestrator, adds to a destination's YAML.

The library knows no host by name. A host registers a `Host` under the entry point group
`connector.hosts` of its package, and is found by the `type` that the YAML names.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

from pydantic import BaseModel, ConfigDict, create_model

from connector.config.destination import Destination
from connector.config.environment import Render
from connector.config.models import DestinationModel
from connector.errors import ConfigError
from connector.syntax.yaml import Document

GROUP = "connector.hosts"

Inconsistency = tuple[tuple[str, ...], str]
"""Keys below `attributes` of the YAML, and a sentence on what is wrong there."""


class Project(NamedTuple):
    """A project of a host.

    Attributes:
        root: Folder that relative paths in YAML files start from.
        definitions: Folder that has a folder for each destination.
    """

    root: Path
    definitions: Path


def _nothing(_destination: Destination) -> Iterator[Inconsistency]:
    return iter(())


def _none(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Host:
    """Keys and checks that one host adds.

    Attributes:
        yaml_type: Value of the YAML's `type`; empty where no host is registered.
        model: The keys under `attributes`.
        problems: What is wrong with a destination for this host. Runs whenever one is read.
        slow_problems: The same, where it takes long to find out. Runs in `check` alone.
        interval: The longest time between two runs of a destination's schedule, if it has one.
        file_keys: Keys beside `attributes` that the host reads by itself.
        example: Lines of its own keys for the YAML of a new destination.
        schedule: When it runs a destination, in words for people; None where it does not.
        project: The project of this host that a folder lies in, if any.
        render_with: What fills the templates of a file, below the root of its project; None where
            the file has no variables of its own. Raises DestinationError.
    """

    yaml_type: str
    model: type[DestinationModel]
    problems: Callable[[Destination], Iterator[Inconsistency]] = _nothing
    slow_problems: Callable[[Destination], Iterator[Inconsistency]] = _nothing
    project: Callable[[Path], Project | None] = _none
    interval: Callable[[Destination], dt.timedelta | None] = _none
    render_with: Callable[[Document, Path], Render | None] = _none
    file_keys: tuple[str, ...] = ()
    schedule: Callable[[Destination], str | None] = _none
    example: str = ""

    @functools.cached_property
    def file_model(self) -> type[BaseModel]:
        """The whole YAML file: `type` and `attributes`."""
        kind: Any = Literal[self.yaml_type] if self.yaml_type else str
        beside: dict[str, Any] = dict.fromkeys(self.file_keys, (dict[str, Any] | str | None, None))
        return create_model(
            "DestinationFile",
            __config__=ConfigDict(title="A destination", extra="forbid", frozen=True, strict=True),
            __doc__="The YAML file of one destination.",
            type=(kind, self.yaml_type),
            attributes=(self.model, ...),
            **beside,
        )


def host_of(yaml_type: object = None) -> Host:
    """The host that a YAML's `type` names; for any other value the first one that is registered.

    A class of a package of the user's own is taken for a subclass of that host's.

    Raises:
        ConfigError: A registered host cannot be imported.
    """
    found = _hosts()
    host = next((host for host in found if host.yaml_type == yaml_type), found[0])
    return replace(host, yaml_type=yaml_type) if _is_subclass(yaml_type, found) else host


def _is_subclass(yaml_type: object, hosts: tuple[Host, ...]) -> TypeGuard[str]:
    """Whether a `type` names a class of another package, rather than one of ours misspelt."""
    if not isinstance(yaml_type, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", yaml_type):
        return False
    ours = [host.yaml_type.partition(".")[0] for host in hosts]
    return not difflib.get_close_matches(yaml_type.partition(".")[0], ours, n=1, cutoff=0.8)


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
