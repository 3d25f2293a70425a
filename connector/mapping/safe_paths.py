"""Places of a record that describe nobody: a word from there may stand in an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from connector.arrow.records import Place
from connector.mapping.template import Constant, Joined, List, Node, Object, Repeated, Value, When
from connector.platforms.expression import Alternatives, Pipeline, parse
from connector.platforms.model import Platform

SAFE_COLUMNS = frozenset({"event_name", "currency", "action_source"})
"""Columns whose values come from a list. `order_id` is not one: shops put names into it."""


def impersonal_places(event: Node, platform: Platform) -> frozenset[Place]:
    """Places of an event template that hold constants, or columns that describe nobody."""
    found = list(_places(event, platform, ()))
    return frozenset(place for place, free in found if free) - {
        place for place, free in found if not free
    }


def field_names(node: Node) -> frozenset[str]:
    """Names of the fields that an event template can write."""
    if isinstance(node, Object):
        inner = (field_names(child) for _, child in node.items)
        return frozenset(key for key, _ in node.items).union(*inner)
    if isinstance(node, List):
        return frozenset[str]().union(*map(field_names, node.items))
    if isinstance(node, When):
        return field_names(node.node)
    if isinstance(node, Repeated):
        return field_names(node.item)
    if isinstance(node, Constant):
        ends = _ends(orjson.loads(node.json), ())
        return frozenset(name for place in ends for name in place)
    return frozenset()


def _places(node: Node, platform: Platform, place: Place) -> Iterator[tuple[Place, bool]]:
    if isinstance(node, Constant):
        yield from ((each, True) for each in _ends(orjson.loads(node.json), place))
    elif isinstance(node, Value):
        yield place, _describes_nobody(node.expression, platform)
    elif isinstance(node, Joined):
        free = (each for part in node.parts for _, each in _places(part, platform, place))
        yield place, all(free)
    elif isinstance(node, Object):
        for key, child in node.items:
            yield from _places(child, platform, (*place, key))
    elif isinstance(node, When):
        yield from _places(node.node, platform, place)
    elif isinstance(node, List):
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
        pipeline.space == "column" and pipeline.name in SAFE_COLUMNS
    )
