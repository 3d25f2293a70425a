"""What the documents of a platform leave open, and the overrides that choose otherwise.

`open_facts.json` is made from `docs/uncertain-facts.md` by `scripts/docs.py`, so that what people
read there stands in the package too.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_FILE = Path(__file__).with_name("open_facts.json")


class OpenFact(NamedTuple):
    """A fact that documents leave open.

    Attributes:
        says: What is open, and what the platform file chooses.
        overrides: Lines of a destination's YAML, each of which chooses otherwise.
    """

    says: str
    overrides: list[str]


def open_facts(platform: str) -> list[OpenFact]:
    """The open facts of a platform that comes with the connector; none of a file of one's own."""
    return [OpenFact(**fact) for fact in _all().get(platform, [])]


@functools.cache
def _all() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = orjson.loads(_FILE.read_bytes())
    return found
