"""What each platform answers: bodies as published, from one YAML file a platform.

The receiver answers with them and the connector's reading is tested against them, so that neither
can drift from what was published. Shapes are the platform's; words and values are ours.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from connector.sandbox.dialect import Reply
from connector.syntax.yaml import load

_FOLDER = Path(__file__).with_name("answers")
_WHOLE = re.compile(r"\{(\w+)\}")

Kind = Literal[
    "success",
    "partial",
    "located",
    "refused",
    "auth",
    "halted",
    "throttled",
    "unavailable",
    "unclear",
    "later",
    "token",
]
"""What an answer is, in the words of the platform's document.

success: all events were taken. partial: some were, and the others are named. located: none was,
and the bad ones are named. refused: none was, and the bad ones are not named. auth: the caller is
not who may. halted: address, version or form of the request. throttled: too often. unavailable:
later. unclear: says nothing of the events. later: the result of an earlier request. token: of the
authorization server.
"""

Render = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Fixture:
    """One answer.

    Attributes:
        source: Who published it.
        body: Template; `{name}` stands for a value, an entry of a list with `$each: name` for one
            entry for each of several, an object of `$each` and `text` for their texts in a row.
        example: Values that make a body.
        blames: Positions of the events that the example names.
        records: Of the request, where the example repeats them.
        test_mode: Whether the request asks for validation alone.
    """

    name: str
    kind: Kind
    source: str
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    blames: tuple[int, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ({}, {}, {})
    test_mode: bool = False


class Fixtures:
    """The answers of one platform, by their names."""

    def __init__(self, platform: str) -> None:
        self._fixtures = dict(_read(platform))
        self._render = {each.name: _compile(each.body) for each in self}

    def __iter__(self) -> Iterator[Fixture]:
        return iter(self._fixtures.values())

    def __contains__(self, name: object) -> bool:
        return name in self._fixtures

    def reply(self, name: str, /, **values: Any) -> Reply:
        """Make an answer. values: of its template; `uuid` is there without being given."""
        fixture = self._fixtures[name]
        body = self._render[name]({"uuid": uuid.uuid4().hex, **values})
        content = body.encode() if isinstance(body, str) else body
        return Reply(fixture.status, content, fixture.headers)

    def example(self, name: str) -> Reply:
        """Make an answer from its example values. Those that count depend on nothing else."""
        fixture = self._fixtures[name]
        return self.reply(name, **{"count": len(fixture.records), **fixture.example})


@functools.cache
def fixtures(platform: str) -> Fixtures:
    """Return the answers of a platform."""
    return Fixtures(platform)


def _read(platform: str) -> Iterator[tuple[str, Fixture]]:
    path = _FOLDER / f"{platform}.yaml"
    for name, values in load(path.read_text(encoding="utf-8"), path.name).value.items():
        if values["kind"] not in get_args(Kind):
            raise ValueError(f"{path.name}: {name}: {values['kind']} is no kind of answer")
        for each in ("blames", "records"):
            if each in values:
                values[each] = tuple(values[each])
        yield name, Fixture(name, **values)


def _compile(node: Any) -> Render:
    """Turn a template into a function of its values."""
    if isinstance(node, dict):
        if set(node) == {"$each", "text"}:
            name, text = node["$each"], _compile(node["text"])
            return lambda values: "".join(text({**values, **entry}) for entry in values[name])
        parts = {key: _compile(value) for key, value in node.items()}
        return lambda values: {key: part(values) for key, part in parts.items()}
    if isinstance(node, list):
        return _compile_list(node)
    if not isinstance(node, str) or not _WHOLE.search(node):
        return lambda _values: node
    whole = _WHOLE.fullmatch(node)
    if whole:
        only = whole.group(1)
        return lambda values: values[only]
    return lambda values: _WHOLE.sub(lambda match: str(values[match.group(1)]), node)


def _compile_list(node: list[Any]) -> Render:
    parts: list[tuple[str | None, Render]] = []
    for entry in node:
        each = entry.get("$each") if isinstance(entry, dict) else None
        inner = {key: value for key, value in entry.items() if key != "$each"} if each else entry
        parts.append((each, _compile(inner)))

    def render(values: Mapping[str, Any]) -> list[Any]:
        rendered = []
        for each, part in parts:
            if each is None:
                rendered.append(part(values))
            else:
                rendered += [part({**values, **entry}) for entry in values[each]]
        return rendered

    return render
