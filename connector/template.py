"""A platform's event template -> JSON text, one column operation at a time.

Every node of the template turns the whole column of rows into JSON fragments: a fragment that is null is left out, an
object or list whose fragments are all left out is left out itself. Rows are never visited one by one, and the bytes
depend on nothing but the values: the same conversion gives the same bytes, always.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.frames import time_text
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
            return _sequence(tuple(compile_template(item, constants) for item in template["$list"]), bool(template.get("$keep")))
        items = [(key, compile_template(value, constants)) for key, value in template.items() if not key.startswith("$")]
        return _object(tuple(items), tuple(template.get("$all", ())), tuple(template.get("$one", ())), bool(template.get("$keep")))
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


def _object(items: tuple[tuple[str, Node], ...], all_of: tuple[str, ...], one_of: tuple[str, ...], keep: bool) -> Node:
    """An object; one of constants alone is a constant itself."""
    fixed = [_key(key) + node.json for key, node in items if isinstance(node, Literal)]
    return Literal("{" + ",".join(fixed) + "}") if len(fixed) == len(items) else Object(items, all_of, one_of, keep)


def _sequence(items: tuple[Node, ...], keep: bool = False) -> Node:
    fixed = [node.json for node in items if isinstance(node, Literal)]
    return Literal("[" + ",".join(fixed) + "]") if len(fixed) == len(items) else Sequence(items, keep)


def _key(name: str) -> str:
    return orjson.dumps(name).decode() + ":"


def render(node: Node, source: Source) -> pa.Array:
    """JSON text of a node for each row, shape (rows,); null where it is left out."""
    if isinstance(node, Literal):
        return pa.array([node.json] * source.rows, pa.string())
    if isinstance(node, Leaf):
        return to_json(source.value(node.expression))
    if isinstance(node, Each):
        return _render_each(node, source)
    if isinstance(node, Sequence):
        return _joined(_fragments([("", item) for item in node.items], "[", source), "[]", node.keep)
    pieces = dict(zip((key for key, _ in node.items), _fragments([(_key(key), child) for key, child in node.items], "{", source), strict=True))
    taken = pa.array(np.zeros(source.rows, bool)) if node.one_of else None
    for key in node.one_of:
        pieces[key], taken = pc.if_else(taken, None, pieces[key]), pc.or_(taken, pc.is_valid(pieces[key]))
    whole = _joined(list(pieces.values()), "{}", node.keep)
    for key in node.all_of:
        whole = pc.if_else(pc.is_valid(pieces[key]), whole, None)
    return whole


def _fragments(items: list[tuple[str, Node]], bracket: str, source: Source) -> list[pa.Array | pa.Scalar]:
    """Each node behind its prefix and a comma; the first behind the bracket instead, where no row leaves it out."""
    first = _fragment(bracket + items[0][0], items[0][1], source)
    if isinstance(first, pa.Array) and first.null_count:
        first = _fragment("," + items[0][0], items[0][1], source)
    return [first, *(_fragment("," + prefix, node, source) for prefix, node in items[1:])]


def _fragment(prefix: str, node: Node, source: Source) -> pa.Array | pa.Scalar:
    """`prefix` and the node's JSON: a scalar for literals, otherwise an array with null where it is left out."""
    if isinstance(node, Literal):
        return pa.scalar(prefix + node.json)
    if isinstance(node, Leaf):
        return _prefixed(prefix, source.value(node.expression))
    return pc.binary_join_element_wise(prefix, render(node, source), "")


def _joined(pieces: list[pa.Array | pa.Scalar], brackets: str, keep: bool) -> pa.Array:
    """Fragments between brackets; null where all but the literal ones are left out."""
    filled = functools.reduce(pc.or_, (pc.is_valid(piece) for piece in pieces if isinstance(piece, pa.Array)))
    # Not `null_handling="skip"`: in pyarrow 26 it loses rows in which everything is null.
    whole = pc.binary_join_element_wise(*pieces, brackets[1], "", null_handling="replace", null_replacement="")
    if isinstance(pieces[0], pa.Array) and pieces[0].null_count:
        whole = pc.binary_replace_slice(whole, 0, 1, brackets[0])
    literal = any(isinstance(piece, pa.Scalar) for piece in pieces)
    if pc.all(filled).as_py() or (keep and literal):
        return whole
    return pc.if_else(filled, whole, brackets if keep else None)


def _render_each(node: Each, source: Source) -> pa.Array:
    lists, entries = source.entries(node.column)
    rendered = render(node.item, entries)
    there = rendered.is_valid()
    parents = pc.list_parent_indices(lists).filter(there).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=source.rows))])
    body = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rendered.filter(there)), ",")
    return pc.if_else(pc.equal(body, ""), None, pc.binary_join_element_wise("[", body, "]", ""))


def to_json(value: Values) -> pa.Array:
    """Values as JSON text: strings quoted, numbers and booleans bare, times as ISO text."""
    return value.text if isinstance(value, Json) else _prefixed("", value)


def _prefixed(prefix: str, value: Values) -> pa.Array:
    """Values as JSON text with `prefix` in front, written in one pass."""
    if isinstance(value, Json):
        return pc.binary_join_element_wise(prefix, value.text, "")
    if pa.types.is_boolean(value.type) or pa.types.is_integer(value.type):
        return pc.binary_join_element_wise(prefix, value.cast(pa.string()), "")
    text = time_text(value) if pa.types.is_timestamp(value.type) else _escaped(value.cast(pa.string()))
    return pc.binary_join_element_wise(prefix + '"', text, '"', "")


def _escaped(texts: pa.Array) -> pa.Array:
    """Texts with quotes, backslashes and control characters escaped as JSON asks; nearly always nothing to do."""
    if not _may_need_escape(texts):
        return texts
    special = pc.fill_null(pc.match_substring_regex(texts, _NEEDS_ESCAPE), False)
    if not pc.any(special).as_py():
        return texts
    written = pa.array([orjson.dumps(text).decode()[1:-1] for text in texts.filter(special).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, special, written)


def _may_need_escape(texts: pa.Array) -> bool:
    """Whether any byte of a column is special: a look at all of them together, which is far cheaper than one at each text."""
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return False
    begin, end = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    octets = np.frombuffer(content, np.uint8)[begin:end]
    return bool(((octets < 0x20) | (octets == ord('"')) | (octets == ord("\\"))).any())
