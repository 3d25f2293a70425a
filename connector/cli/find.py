"""Finds a destination by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from connector.errors import ConfigError
from connector.syntax.spelling import suggest

FILE = "defs.yaml"

START: ContextVar[Path | None] = ContextVar("START", default=None)
"""A folder of the project in which names are looked up; the working directory where None."""


def path_of(name: str) -> Path:
    """The YAML file that a person means.

    Args:
        name: The path of the file, or of its folder; or the folder's name below the definitions of
            the project that `START` lies in.

    Raises:
        ConfigError: There is none; the message tells which ones there are.
    """
    path = Path(name)
    if (path / FILE).is_file():
        return path / FILE
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    folders = list(dict.fromkeys(_definitions((START.get() or Path.cwd()).resolve())))
    for folder in folders:
        if (folder / name / FILE).is_file():
            return folder / name / FILE
    known = sorted({each.parent.name for folder in folders for each in _destinations(folder)})
    raise ConfigError(
        f"there is no destination '{name}'; there are {', '.join(known)}{suggest(name, known)}"
        if known
        else f"there is no destination '{name}'; run this in a project, name its folder with"
        " --project, or give the path of a YAML file"
    )


def _definitions(start: Path) -> Iterator[Path]:
    """Yields the folders that hold destinations: those of the project, then the nearest ones."""
    from connector.config.host import host_of  # late: `capi --help` does without it

    project = host_of().project(start)
    if project is not None:
        yield project.definitions
    for folder in (start, *start.parents):
        yield from sorted(folder.glob("[!.]*/defs"))


def _destinations(folder: Path) -> Iterator[Path]:
    """Yields the YAML files of destinations; a project may have components of other kinds."""
    for path in folder.glob(f"*/{FILE}"):
        if re.search(r"^\s+platform:", path.read_text("utf-8", errors="replace"), re.MULTILINE):
            yield path
