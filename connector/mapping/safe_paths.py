"""Where in a record there is nothing of a person: words that stand there may stand in an error code as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from connector.arrow.records import Place
from connector.mapping.template import Leaf, Literal, Node, Object, Sequence
from connector.platforms.expression import Alternatives, Pipeline, parse
from connector.platforms.model import Platform

COLUMNS = frozenset({"event_name", "currency", "action_source"})
"""Columns whose values come from a list that somebody made. An order's number is not among them: shops put names and customers into it."""


def impersonal_places(event: Node, platform: Platform) -> frozenset[Place]:
    """Places of an event template at which every value is a constant, or of a column that describes nobody."""
    found = list(_places(event, platform, ()))
    return frozenset(place for place, free in found if free) - {
        place for place, free in found if not free
    }


def _places(node: Node, platform: Platform, place: Place) -> Iterator[tuple[Place, bool]]:
    if isinstance(node, Literal):
        yield from ((each, True) for each in _ends(orjson.loads(node.json), place))
    elif isinstance(node, Leaf):
        yield place, _describes_nobody(node.expression, platform)
    elif isinstance(node, Object):
        for key, child in node.items:
            yield from _places(child, platform, (*place, key))
    elif isinstance(node, Sequence):
        for child in node.items:
            yield from _places(child, platform, place)


def _ends(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _ends(child, (*place, key))
    elif isinstance(value, list):
        for child in value:
            yield from _ends(child, place)
    else:
        yield place


def _describes_nobody(expression: Alternatives, platform: Platform) -> bool:
    return all(_is_free(pipeline, platform) for pipeline in expression.pipelines)


def _is_free(pipeline: Pipeline, platform: Platform) -> bool:
    if pipeline.space == "field":
        return _describes_nobody(parse(platform.fields[pipeline.name]), platform)
    return pipeline.space in ("literal", "account", "param") or (
        pipeline.space == "column" and pipeline.name in COLUMNS
    )
