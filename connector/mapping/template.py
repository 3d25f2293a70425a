"""A platform's event template -> JSON text, one column operation at a time.

Every node of the template turns the whole column of rows into JSON fragments: a fragment that is null is left out, an
object or list whose fragments are all left out is left out itself. Rows are never visited one by one, and the bytes
depend on nothing but the values: the same conversion gives the same bytes, always.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import holds
from connector.arrow.convert import time_text
from connector.platforms.expression import Alternatives, parse
from connector.platforms.functions import Json, Values


class Source(Protocol):
    """What a template is filled from."""

    rows: int

    def value(self, expression: Alternatives) -> Values:
        """An expression's value for every row, shape (rows,)."""
        ...

    def entries(self, column: str) -> tuple[pa.ListArray, Source]:
        """A list column, shape (rows,), and a source over its flattened entries."""
        ...


_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


@dataclass(frozen=True)
class Literal:
    """The same JSON for every row."""

    json: str


@dataclass(frozen=True)
class Leaf:
    """An expression over the row."""

    expression: Alternatives


@dataclass(frozen=True)
class Object:
    """Keys and their nodes.

    all_of: left out unless every one of these keys has a value. one_of: of these keys, only the first that has a value is
    written. keep: written even when empty.
    """

    items: tuple[tuple[str, Node], ...]
    all_of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    keep: bool = False


@dataclass(frozen=True)
class Sequence:
    """Nodes in order, those without a value left out. keep: written even when empty."""

    items: tuple[Node, ...]
    keep: bool = False


@dataclass(frozen=True)
class Each:
    """One object for each entry of a list column such as `contents`."""

    column: str
    item: Node


Node = Literal | Leaf | Object | Sequence | Each


def compile_template(template: Any, constants: Mapping[str, Mapping[str, Any]]) -> Node:
    """A parsed YAML template -> nodes.

    constants: space -> name -> value, for `account.x` and `param.x`. Keys that start with $ steer: `$all` lists keys that
    must all be there, `$one` lists keys of which the first with a value is written, `$keep: true` writes an empty object or
    list, `$each: contents` repeats `item`.
    Raises ValueError for an expression that is not understood, KeyError for a constant that is not given.
    """
    if isinstance(template, dict):
        if "$each" in template:
            return Each(template["$each"], compile_template(template["item"], constants))
        if "$list" in template:
            return _sequence(
                tuple(compile_template(item, constants) for item in template["$list"]),
                bool(template.get("$keep")),
            )
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
        return _sequence(tuple(compile_template(item, constants) for item in template))
    if not isinstance(template, str):
        return Literal(orjson.dumps(template).decode())
    expression = parse(template)
    first = expression.pipelines[0]
    if first.space == "literal":
        return Literal(orjson.dumps(first.name).decode())
    if first.space in constants and not first.steps:
        value = constants[first.space].get(first.name)
        if value is not None:
            return Literal(orjson.dumps(value).decode())
    return Leaf(expression)


def _object(
    items: tuple[tuple[str, Node], ...],
    all_of: tuple[str, ...],
    one_of: tuple[str, ...],
    keep: bool,
) -> Node:
    """An object; one of constants alone is a constant itself."""
    fixed = [_key(key) + node.json for key, node in items if isinstance(node, Literal)]
    return (
        Literal("{" + ",".join(fixed) + "}")
        if len(fixed) == len(items)
        else Object(items, all_of, one_of, keep)
    )


def _sequence(items: tuple[Node, ...], keep: bool = False) -> Node:
    fixed = [node.json for node in items if isinstance(node, Literal)]
    return (
        Literal("[" + ",".join(fixed) + "]") if len(fixed) == len(items) else Sequence(items, keep)
    )


def _key(name: str) -> str:
    return orjson.dumps(name).decode() + ":"


class Fragment(NamedTuple):
    """A node's JSON in pieces, which are joined only once, for the whole record.

    pieces: text that is the same in every row, or a column of texts, shape (rows,). optional: where a row leaves the node
    out, a piece of it is null; where no row does, a null piece stands for nothing.
    """

    pieces: tuple[str | pa.Array, ...]
    optional: bool = False


class _Member(NamedTuple):
    """A fragment inside brackets. literal: it does not depend on the row. key: with its colon; empty in a list."""

    literal: bool
    key: str
    fragment: Fragment


def render(node: Node, source: Source) -> pa.Array:
    """JSON text of a node for each row, shape (rows,); null where it is left out."""
    return _joined(_fragment(node, source), source.rows)


def to_json(value: Values) -> pa.Array:
    """Values as JSON text: strings quoted, numbers and booleans bare, times as ISO text."""
    return _joined(_value(value), len(value.text if isinstance(value, Json) else value))


def _joined(fragment: Fragment, rows: int) -> pa.Array:
    pieces = [
        text
        for kind, run in itertools.groupby(fragment.pieces, type)
        for text in (["".join(run)] if kind is str else run)
    ]
    if all(isinstance(piece, str) for piece in pieces):
        return pa.array(pieces * rows, pa.string())
    if len(pieces) == 1:
        return pieces[0]
    # Not `null_handling="skip"`: in pyarrow 26 it loses rows in which everything is null.
    return pc.binary_join_element_wise(
        *pieces,
        "",
        null_handling="emit_null" if fragment.optional else "replace",
        null_replacement="",
    )


def _column(text: pa.Array) -> Fragment:
    return Fragment((text,), text.null_count > 0)


def _fragment(node: Node, source: Source) -> Fragment:
    if isinstance(node, Literal):
        return Fragment((node.json,))
    if isinstance(node, Leaf):
        return _value(source.value(node.expression))
    if isinstance(node, Each):
        return _each(node, source)
    if isinstance(node, Sequence):
        members = [
            _Member(isinstance(item, Literal), "", _fragment(item, source)) for item in node.items
        ]
        return _enclosed(members, "[]", node.keep, source.rows)
    fragments = {key: _fragment(child, source) for key, child in node.items}
    taken = pa.array(np.zeros(source.rows, bool)) if node.one_of else None
    for key in node.one_of:
        text = _joined(fragments[key], source.rows)
        fragments[key] = _column(pc.if_else(taken, None, text))
        taken = pc.or_(taken, pc.is_valid(text))
    whole = _enclosed(
        [
            _Member(isinstance(child, Literal), _key(key), fragments[key])
            for key, child in node.items
        ],
        "{}",
        node.keep,
        source.rows,
    )
    for key in node.all_of:
        if fragments[key].optional:
            whole = _column(
                pc.if_else(
                    pc.is_valid(_joined(fragments[key], source.rows)),
                    _joined(whole, source.rows),
                    None,
                )
            )
    return whole


def _enclosed(members: list[_Member], brackets: str, keep: bool, rows: int) -> Fragment:
    """Members between brackets, with commas. In rows that have none but literal ones it is left out, or empty where it is kept."""
    members = [member for member in members if not _is_nowhere(member.fragment)]
    varying = [member.fragment for member in members if not member.literal]
    if not varying and not keep:
        return Fragment((pa.nulls(rows, pa.string()),), True)
    always = [not member.fragment.optional for member in members]
    if all(always) or (len(varying) == 1 and not keep):
        commas = ["", *[","] * len(members)]
        pieces = [
            piece
            for comma, member in zip(commas, members, strict=False)
            for piece in (comma, member.key, *member.fragment.pieces)
        ]
        return Fragment((brackets[0], *pieces, brackets[1]), not all(always))
    return _with_gaps(members, always, brackets, keep, rows)


def _is_nowhere(fragment: Fragment) -> bool:
    """Whether every row leaves it out."""
    return fragment.optional and any(
        isinstance(piece, pa.Array) and piece.null_count == len(piece) for piece in fragment.pieces
    )


def _with_gaps(
    members: list[_Member], always: list[bool], brackets: str, keep: bool, rows: int
) -> Fragment:
    """Members of which rows leave some out: these bring their commas, which stand between them and one that is always there."""
    fixed = always.index(True) if any(always) else -1
    pieces: list[str | pa.Array] = []
    filled: list[pa.Array] = []
    for place, member in enumerate(members):
        text = (
            "," if place > fixed else "",
            member.key,
            *member.fragment.pieces,
            "," if place < fixed else "",
        )
        if member.fragment.optional:
            column = _joined(Fragment(text, True), rows)
            filled.append(pc.is_valid(column))
            pieces.append(column)
        else:
            pieces += text
    whole = Fragment((brackets[0], *pieces, brackets[1]))
    if fixed < 0:
        whole = Fragment(
            (
                pc.binary_replace_slice(
                    _joined(Fragment((*pieces, brackets[1])), rows), 0, 1, brackets[0]
                ),
            )
        )
    elif keep or any(
        there and not member.literal for there, member in zip(always, members, strict=True)
    ):
        return whole
    somewhere = functools.reduce(pc.or_, filled)
    if pc.all(somewhere).as_py():
        return whole
    return _column(pc.if_else(somewhere, _joined(whole, rows), brackets if keep else None))


def _each(node: Each, source: Source) -> Fragment:
    lists, entries = source.entries(node.column)
    if lists.null_count == len(lists):
        return _column(pa.nulls(source.rows, pa.string()))
    rendered = render(node.item, entries)
    there = rendered.is_valid()
    parents = pc.list_parent_indices(lists).filter(there).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=source.rows))])
    body = pc.binary_join(
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rendered.filter(there)), ","
    )
    listed = pc.if_else(pc.equal(body, ""), None, body)
    return Fragment(("[", listed, "]"), listed.null_count > 0)


def _value(value: Values) -> Fragment:
    """Values by their type, ready to stand in JSON."""
    texts = value.text if isinstance(value, Json) else value
    optional = texts.null_count > 0
    if isinstance(value, Json):
        return Fragment((texts,), optional)
    if pa.types.is_boolean(value.type) or pa.types.is_integer(value.type):
        return Fragment((value.cast(pa.string()),), optional)
    text = (
        time_text(value) if pa.types.is_timestamp(value.type) else _escaped(value.cast(pa.string()))
    )
    return Fragment(('"', text, '"'), optional)


def _escaped(texts: pa.Array) -> pa.Array:
    """Texts with quotes, backslashes and control characters escaped as JSON asks; nearly always nothing to do."""
    if not holds(texts, below=0x20, among=b'"\\'):
        return texts
    special = pc.fill_null(pc.match_substring_regex(texts, _NEEDS_ESCAPE), False)
    if not pc.any(special).as_py():
        return texts
    written = pa.array(
        [orjson.dumps(text).decode()[1:-1] for text in texts.filter(special).to_pylist()],
        pa.string(),
    )
    return pc.replace_with_mask(texts, special, written)
