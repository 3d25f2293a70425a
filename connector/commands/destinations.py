"""Which destinations a project has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "defs.yaml"

_PLATFORM = re.compile(r"^\s+platform:\s*(?P<name>[^#\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class ListedDestination:
    """A destination as its file names it; the rest of the file is not read.

    Attributes:
        name: The name of its folder.
        platform: What the file says.
        file: Its YAML file.
    """

    name: str
    platform: str
    file: Path

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
            platform = _PLATFORM.search(path.read_text("utf-8", errors="replace"))
            name = path.parent.name
            # A project may have components of other kinds.
            if platform is not None and name not in found:
                found[name] = ListedDestination(name, platform["name"].strip(" \"'"), path)
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
