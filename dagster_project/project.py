"""Finds the Dagster project that a folder lies in, by `[tool.dg]` of pyproject.toml or dg.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from connector.config.host import Project

PACKAGE = __name__.partition(".")[0]


def find_project(start: Path) -> Project | None:
    """The nearest project at or above a folder; None where there is none."""
    for folder in (start, *start.parents):
        settings = _settings(folder)
        root_module = settings.get("root_module")
        module = settings.get("defs_module") or (root_module and f"{root_module}.defs")
        if isinstance(module, str):
            return Project(folder, _folder_of(module, folder))
    return None


def hides_component(root: Path) -> bool:
    """Whether a project has a package of its own by our name, which Python finds first."""
    for folder in (root / PACKAGE, root / "src" / PACKAGE):
        if (folder / "__init__.py").is_file() and not (folder / Path(__file__).name).is_file():
            return True
    return False


def _settings(folder: Path) -> dict[str, Any]:
    """`[tool.dg.project]` of a folder's pyproject.toml, or `[project]` of its dg.toml."""
    for name, keys in (("dg.toml", ("project",)), ("pyproject.toml", ("tool", "dg", "project"))):
        try:
            found: Any = tomllib.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue  # dg itself complains of a file that is broken
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, dict):
            return found
    return {}


def _folder_of(module: str, root: Path) -> Path:
    """Where a module of a project is: below its root, or below `src/`."""
    below = Path(*module.split("."))
    return root / "src" / below if (root / "src" / below).is_dir() else root / below
