"""The leaves of a template: what is written at which place of a record, before any row is seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Leaf(NamedTuple):
    """One value that a template writes.

    Attributes:
        place: Keys down to it, joined by dots; entries of a list stand at the list's place.
        value: An expression, or a constant that is no text.
        entry_of: The list column whose entries the expression is about; None where it is the row.
    """

    place: str
    value: Any
    entry_of: str | None


def leaves(template: Any, place: str = "", entry_of: str | None = None) -> Iterator[Leaf]:
    """Yields the leaves of a parsed YAML template in order; see `compile_template` for its form."""
    if isinstance(template, list):
        for each in template:
            yield from leaves(each, place, entry_of)
    elif not isinstance(template, dict):
        yield Leaf(place, template, entry_of)
    elif "$each" in template:
        yield from leaves(template["item"], place, template["$each"])
    else:
        for key in ("$list", "$join", "$value"):
            if key in template:
                yield from leaves(template[key], place, entry_of)
        for key, value in template.items():
            if not key.startswith("$"):
                yield from leaves(value, f"{place}.{key}" if place else key, entry_of)
