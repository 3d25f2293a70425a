"""Finds a destination by its name."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path

import typer

from connector.errors import ConfigError
from connector.syntax.spelling import suggest

# The library is imported inside of functions, so that `capi --help` does not wait for it.

START: ContextVar[Path | None] = ContextVar("START", default=None)
"""A folder of the project in which names are looked up; the working directory where None."""


def path_of(name: str) -> Path:
    """The YAML file that a person means.

    Args:
        name: The path of the file (`FILE#NAME` of several in it), or of its folder; or a
            destination's name below the definitions of the project that `START` lies in.

    Raises:
        ConfigError: There is none; the message tells which ones there are.
    """
    from connector.commands.destinations import definition_folders, list_destinations
    from connector.config.documents import FILE, split_target

    path, one_of_several = split_target(name)
    if one_of_several is not None:
        return Path(name)
    if (path / FILE).is_file():
        return path / FILE
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    for folder in definition_folders(START.get()):
        if (folder / name / FILE).is_file():
            return folder / name / FILE
    found = {each.name: each.target for each in list_destinations(START.get())}
    if name in found:
        return Path(found[name])
    known = list(found)
    raise ConfigError(
        f"there is no destination '{name}'; there are {', '.join(known)}{suggest(name, known)}"
        if known
        else f"there is no destination '{name}'; {WHERE}"
    )


WHERE = "run this in a project, name its folder with --project, or give the path of a YAML file"
"""What a person can do where no destination is found."""


def complete(context: typer.Context, incomplete: str) -> list[str]:
    """Names of destinations that begin so, for a shell that completes them."""
    from connector.commands.destinations import list_destinations

    project = context.find_root().params.get("project")
    found = list_destinations(None if project is None else Path(project))
    return [each.name for each in found if each.name.startswith(incomplete)]
