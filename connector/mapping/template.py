"""A platform's event template, compiled from YAML into nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connector.platforms.expression import Alternatives, parse, texts_of


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


@dataclass(frozen=True)
class When:
    """A node that is left out unless every condition holds.

    Attributes:
        conditions: Expressions, each with the texts that its value must be one of; without texts
            it must have a value.
        node: What is written.
    """

    conditions: tuple[tuple[Alternatives, tuple[str, ...] | None], ...]
    node: Node


_IDENTIFIER = re.compile(r"\bidentifier\.([A-Za-z0-9_]+)(?!\[|[A-Za-z0-9_])")

Node = Constant | Value | Object | List | Joined | Repeated | When

PRESENT = "present"
"""What `$when` says of an expression that must have a value, whatever it is."""


def compile_template(
    template: Any,
    constants: Mapping[str, Mapping[str, Any]],
    several: Mapping[str, int] | None = None,
) -> Node:
    """A parsed YAML template as nodes.

    Keys that start with $ steer: `$all` lists keys that must all have a value, `$one` lists keys of
    which the first with a value is written, `$keep: true` writes an empty object or list, `$list`
    with `$all: true` leaves a list out unless each entry has a value, `$join` makes one text of
    several, `$each: contents` repeats `item`, `$when` writes an object, or the one leaf under
    `$value`, only where its expressions have the values it lists.

    Args:
        template: The template; a `Constant` in it stands as it is.
        constants: Space -> name -> value, for `account.x` and `param.x`.
        several: Identifier -> how many values of it are sent. A member of a list that names it is
            written once for each.

    Raises:
        ValueError: An expression is not understood.
    """
    return _compiled(_spread(template, several or {}), constants)


def _spread(template: Any, several: Mapping[str, int]) -> Any:
    """A template whose lists have a member for each value of the identifiers named there."""
    if isinstance(template, dict):
        return {
            key: value if key in ("$join", "$when") else _spread(value, several)
            for key, value in template.items()
        }
    if not isinstance(template, list):
        return template
    return [each for item in template for each in _copies(_spread(item, several), several)]


def _copies(item: Any, several: Mapping[str, int]) -> list[Any]:
    names = {name for text in texts_of(item) for name in _IDENTIFIER.findall(text)}
    most = max((several.get(name, 1) for name in names), default=1)
    return [item, *(_placed(item, place) for place in range(2, most + 1))]


def _placed(template: Any, place: int) -> Any:
    """A template with `identifier.x[place]` for each `identifier.x`."""
    if isinstance(template, str):
        return _IDENTIFIER.sub(rf"identifier.\1[{place}]", template)
    if isinstance(template, dict):
        return {key: _placed(value, place) for key, value in template.items()}
    if isinstance(template, list):
        return [_placed(value, place) for value in template]
    return template


def _compiled(template: Any, constants: Mapping[str, Mapping[str, Any]]) -> Node:
    if isinstance(template, Constant):
        return template
    if isinstance(template, dict):
        if "$when" in template:
            rest = {key: value for key, value in template.items() if key != "$when"}
            node = _compiled(rest, constants)
            return When(tuple(_conditions(template["$when"])), node)
        if "$value" in template:
            return _compiled(template["$value"], constants)
        if "$each" in template:
            return Repeated(template["$each"], _compiled(template["item"], constants))
        if "$list" in template:
            return _list(
                tuple(_compiled(item, constants) for item in template["$list"]),
                keep=bool(template.get("$keep")),
                whole=template.get("$all") is True,
            )
        if "$join" in template:
            return Joined(tuple(_value(parse(text), constants) for text in template["$join"]))
        items = [
            (key, _compiled(value, constants))
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
        return _list(tuple(_compiled(item, constants) for item in template))
    if not isinstance(template, str):
        return Constant(orjson.dumps(template).decode())
    return _value(parse(template), constants)


def _conditions(
    when: Mapping[str, Any],
) -> Iterator[tuple[Alternatives, tuple[str, ...] | None]]:
    for text, wanted in when.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        texts = tuple(
            str(value).lower() if isinstance(value, bool) else str(value) for value in values
        )
        yield parse(text), None if wanted == PRESENT else texts


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
