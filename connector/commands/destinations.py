"""Which destinations a project has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.config.documents import FILE, destinations_in


@dataclass(frozen=True)
class ListedDestination:
    """A destination as its file names it; the rest of the file is not read.

    Attributes:
        name: The name of its folder, or what `name` says.
        platform: What the file says.
        file: Its YAML file.
        is_alone: Whether the file has no other destination.
    """

    name: str
    platform: str
    file: Path
    is_alone: bool = True

    @property
    def target(self) -> str:
        """The path that means this destination, for every verb."""
        return str(self.file) if self.is_alone else f"{self.file}#{self.name}"

    def to_json(self) -> dict[str, Any]:
        """As `capi list --json` prints it."""
        return {"name": self.name, "platform": self.platform, "file": str(self.file)}


def list_destinations(folder: Path | None = None) -> list[ListedDestination]:
    """The destinations of the project that a folder lies in, by name.

    Args:
        folder: Any folder of the project; default: the working directory.
    """
    found: dict[str, ListedDestination] = {}
    for definitions in definition_folders(folder):
        for path in sorted(definitions.glob(f"*/{FILE}")):
            for name, platform, is_alone in destinations_in(path):
                found.setdefault(name, ListedDestination(name, platform, path, is_alone))
    return sorted(found.values(), key=lambda each: each.name)


def definition_folders(folder: Path | None = None) -> list[Path]:
    """The folders that hold destinations, the one to look in first in front.

    Args:
        folder: Any folder of the project; default: the working directory.
    """
    return list(dict.fromkeys(_definitions((folder or Path.cwd()).resolve())))


def _definitions(start: Path) -> Iterator[Path]:
    """Yields the definitions of the host's project, then of the nearest folders."""
    from connector.config.host import host_of  # late: `capi --help` does without it

    project = host_of().project(start)
    if project is not None:
        yield project.definitions
    for folder in (start, *start.parents):
        yield from sorted(folder.glob("[!.]*/defs"))
