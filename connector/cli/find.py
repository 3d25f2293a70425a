"""Finds a destination by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from connector.errors import ConfigError
from connector.syntax.spelling import suggest

FILE = "defs.yaml"


def path_of(name: str) -> Path:
    """The YAML file that a person means.

    Args:
        name: The path of the file, or of its folder; or the folder's name below `defs/` of a
            package in the working directory or above it.

    Raises:
        ConfigError: There is none; the message tells which ones there are.
    """
    path = Path(name)
    if (path / FILE).is_file():
        return path / FILE
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    for folder in _defs():
        if (folder / name / FILE).is_file():
            return folder / name / FILE
    known = sorted({file.parent.name for folder in _defs() for file in folder.glob(f"*/{FILE}")})
    raise ConfigError(
        f"there is no destination '{name}'; there are {', '.join(known)}{suggest(name, known)}"
        if known
        else f"there is no destination '{name}'; run this in a project, or give the path of a"
        " YAML file"
    )


def _defs() -> Iterator[Path]:
    """Yields the folders that hold destinations, the nearest ones first."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        yield from sorted(folder.glob("[!.]*/defs"))
