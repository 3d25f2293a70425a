"""Which destinations a YAML file has: usually one, or a document for each, told apart by `name`.

One of several is meant by `FILE#NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from connector.errors import DestinationError, Problem
from connector.syntax.spelling import suggest
from connector.syntax.yaml import Document

FILE = "defs.yaml"

_BREAK = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_PLATFORM = re.compile(r"^(?P<indent>[ ]+)platform:\s*(?P<value>[^#\n]*)", re.MULTILINE)


class Named(NamedTuple):
    """A destination as its file names it.

    Attributes:
        name: What `name` says; otherwise the name of its folder, or of the file.
        platform: What the file says.
        is_alone: Whether the file has no other destination.
    """

    name: str
    platform: str
    is_alone: bool


def destinations_in(path: Path) -> Iterator[Named]:
    """Look for destinations in a file, without reading the rest of it."""
    found = []
    for text in _BREAK.split(path.read_text("utf-8", errors="replace")):
        platform = _PLATFORM.search(text)
        if platform is not None:
            given = re.search(rf"^{platform['indent']}name:\s*([^#\n]*)", text, re.MULTILINE)
            found.append((given and _plain(given[1]), _plain(platform["value"])))
    for name, kind in found:
        yield Named(name or default_name(path), kind, len(found) == 1)


def default_name(path: Path | None) -> str:
    """The name of a destination whose YAML gives none."""
    if path is None:
        return "destination"
    where = path.resolve()
    return where.parent.name if where.name == FILE else where.stem


def split_target(path: Path | str) -> tuple[Path, str | None]:
    """A file, and the name of the one that is meant where the path is `FILE#NAME`."""
    file, _, name = str(path).rpartition("#")
    return (Path(file), name) if file and not Path(path).is_file() else (Path(path), None)


def choose(documents: Sequence[Document], path: Path, name: str | None) -> Document:
    """The document of one destination.

    Args:
        documents: Those of its file; components of other kinds may be among them.
        path: The file.
        name: Which destination is meant; None where the file has one.

    Raises:
        DestinationError: It is not there, or the documents do not say which is which.
    """
    ours = [each for each in documents if len(documents) == 1 or _attributes(each).get("platform")]
    names = [_attributes(each).get("name") for each in ours]
    if len(ours) > 1:
        problems = [
            each.problem(
                ("attributes", "name"),
                "a file of several destinations gives each a name of its own"
                if given is None
                else f"the name '{given}' is given twice",
            )
            for row, (each, given) in enumerate(zip(ours, names, strict=True))
            if given is None or given in names[:row]
        ]
        if problems:
            raise DestinationError(problems)
    known = [str(given or default_name(path)) for given in names]
    if name is None and len(ours) == 1:
        return ours[0]
    if name in known:
        return ours[known.index(name)]
    message = (
        f"the file has no destination '{name}'{suggest(name, known)}"
        if name is not None
        else f"the file has {len(known)} destinations: {', '.join(known)}. Name one, as in"
        f" {path}#{known[0]}"
        if known
        else "no document of the file has attributes.platform"
    )
    raise DestinationError([Problem(message, str(path))])


def _attributes(document: Document) -> dict[str, Any]:
    value = document.value.get("attributes") if isinstance(document.value, dict) else None
    return value if isinstance(value, dict) else {}


def _plain(text: str) -> str:
    return text.strip(" \"'")
