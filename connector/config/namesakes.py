"""Folders of destinations that Dagster could not tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path


def namesakes(path: Path | None) -> Iterator[str]:
    """What is wrong where another destination under the same `defs` has the name of this one, as a sentence each.

    path: of a defs.yaml. Names of schedules, sensors and jobs hold letters, digits and underscores alone, so `a-b` and `a_b` are one.
    """
    if path is None or path.name != "defs.yaml":
        return
    folder = path.resolve().parent
    for top in [each for each in folder.parents if each.name == "defs"][:1]:
        for other in sorted(top.rglob("defs.yaml")):
            if (
                other.parent != folder
                and _word(other.parent.name) == _word(folder.name)
                and _is_destination(other)
            ):
                ours, theirs = (each.relative_to(top.parent) for each in (folder, other.parent))
                yield f"the folders {ours} and {theirs} would have the same names in Dagster; rename one of them"


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _is_destination(path: Path) -> bool:
    try:
        return "CapiDestination" in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
