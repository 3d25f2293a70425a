"""A platform's event template, compiled from YAML into nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector.platforms.expression import Alternatives, parse


@dataclass(frozen=True)
class Constant:
    """The same JSON for every row."""

    json: str


@dataclass(frozen=True)
class Value:
    """An expression over the row."""

    expression: Alternatives


@dataclass(frozen=True)
class Object:
    """Keys and their nodes.

    Attributes:
        items: Keys and nodes in order.
        all_of: The object is left out unless every one of these keys has a value.
        one_of: Of these keys, only the first that has a value is written.
        keep: It is written even when empty.
    """

    items: tuple[tuple[str, Node], ...]
    all_of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    keep: bool = False


@dataclass(frozen=True)
class List:
    """Nodes in order; those without a value are left out.

    Attributes:
        keep: It is written even when empty.
        whole: It is left out unless every node has a value.
    """

    items: tuple[Node, ...]
    keep: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Joined:
    """Texts in a row as one text; it is left out unless every one has a value."""

    parts: tuple[Constant | Value, ...]


@dataclass(frozen=True)
class Repeated:
    """One `item` for each entry of a list column such as `contents`."""

    column: str
    item: Node


Node = Constant | Value | Object | List | Joined | Repeated


def compile_template(template: Any, constants: Mapping[str, Mapping[str, Any]]) -> Node:
    """A parsed YAML template as nodes.

    Keys that start with $ steer: `$all` lists keys that must all have a value, `$one` lists keys of
    which the first with a value is written, `$keep: true` writes an empty object or list, `$list`
    with `$all: true` leaves a list out unless each entry has a value, `$join` makes one text of
    several, `$each: contents` repeats `item`.

    Args:
        template: The template.
        constants: Space -> name -> value, for `account.x` and `param.x`.

    Raises:
        ValueError: An expression is not understood.
    """
    if isinstance(template, dict):
        if "$each" in template:
            return Repeated(template["$each"], compile_template(template["item"], constants))
        if "$list" in template:
            return _list(
                tuple(compile_template(item, constants) for item in template["$list"]),
                keep=bool(template.get("$keep")),
                whole=template.get("$all") is True,
            )
        if "$join" in template:
            return Joined(tuple(_value(parse(text), constants) for text in template["$join"]))
        items = [
            (key, compile_template(value, constants))
            for key, value in template.items()
            if not key.startswith("$")
        ]
        return _object(
            tuple(items),
            tuple(template.get("$all", ())),
            tuple(template.get("$one", ())),
            bool(template.get("$keep")),
        )
    if isinstance(template, list):
        return _list(tuple(compile_template(item, constants) for item in template))
    if not isinstance(template, str):
        return Constant(orjson.dumps(template).decode())
    return _value(parse(template), constants)


def _value(
    expression: Alternatives, constants: Mapping[str, Mapping[str, Any]]
) -> Constant | Value:
    first = expression.pipelines[0]
    if first.space == "literal":
        return Constant(orjson.dumps(first.name).decode())
    if first.space in constants and not first.calls:
        value = constants[first.space].get(first.name)
        if value is not None:
            return Constant(orjson.dumps(value).decode())
    return Value(expression)


def _object(
    items: tuple[tuple[str, Node], ...],
    all_of: tuple[str, ...],
    one_of: tuple[str, ...],
    keep: bool,
) -> Node:
    """An object; one of constants alone is a constant itself."""
    fixed = [json_key(key) + node.json for key, node in items if isinstance(node, Constant)]
    return (
        Constant("{" + ",".join(fixed) + "}")
        if len(fixed) == len(items)
        else Object(items, all_of, one_of, keep)
    )


def _list(items: tuple[Node, ...], *, keep: bool = False, whole: bool = False) -> Node:
    fixed = [node.json for node in items if isinstance(node, Constant)]
    if len(fixed) == len(items):
        return Constant("[" + ",".join(fixed) + "]")
    return List(items, keep, whole)


def json_key(name: str) -> str:
    """An object's key in JSON, with its colon."""
    return orjson.dumps(name).decode() + ":"
