"""Template nodes and rows -> JSON text, one column operation at a time.

Every node turns the whole column of rows into JSON fragments. A null fragment is left out; an
object or list whose fragments are all left out is left out itself. Rows are never visited one by
one, and the bytes depend on nothing but the values: the same conversion always gives the same
bytes.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes
from connector.arrow.masks import mask, present
from connector.arrow.text import time_text
from connector.mapping.template import Constant, Joined, List, Node, Repeated, Value, When, json_key
from connector.platforms.expression import Alternatives
from connector.platforms.functions import Json, Values
from connector.platforms.functions.typed import texts

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


class Bindings(Protocol):
    """What a template is filled from."""

    rows: int

    def value(self, expression: Alternatives) -> Values:
        """An expression's value for every row, shape (rows,)."""
        ...

    def entries(self, column: str) -> tuple[pa.ListArray, Bindings]:
        """A list column, shape (rows,), and bindings for its flattened entries."""
        ...


class Fragment(NamedTuple):
    """A node's JSON in segments, which are joined only once, for the whole record.

    Attributes:
        segments: Text that is the same in every row, or a column of texts, shape (rows,).
        optional: Whether rows may leave the node out. If so, a null segment leaves the node out in
            its row; otherwise a null segment is an empty text.
    """

    segments: tuple[str | pa.Array, ...]
    optional: bool = False


class _Member(NamedTuple):
    """A fragment inside brackets.

    Attributes:
        constant: It does not depend on the row.
        key: The key with its colon; empty in a list.
        fragment: The value.
    """

    constant: bool
    key: str
    fragment: Fragment


def render(node: Node, source: Bindings) -> pa.Array:
    """JSON text of a node for each row, shape (rows,); null where the node is left out."""
    return _joined(_fragment(node, source), source.rows)


def to_json(value: Values) -> pa.Array:
    """Values as JSON text: strings quoted, numbers and booleans bare, times as ISO text."""
    return _joined(_value(value), len(value.text if isinstance(value, Json) else value))


def first_of(values: Sequence[Values]) -> Values:
    """Of alternatives the first that has a value, row by row.

    Alternatives of different kinds, such as a number and a text, are written as JSON, each by its
    own type.
    """
    if len(values) == 1:
        return values[0]
    plain = [value for value in values if not isinstance(value, Json)]
    if not plain:
        return Json(pc.coalesce(*(value.text for value in values if isinstance(value, Json))))
    kinds = {"text" if _is_text(value) else value.type for value in plain}
    if len(plain) == len(values) and len(kinds) == 1:
        return pc.coalesce(*plain)
    return Json(pc.coalesce(*map(to_json, values)))


def _is_text(values: pa.Array) -> bool:
    return pa.types.is_string(values.type) or pa.types.is_large_string(values.type)


def _joined(fragment: Fragment, rows: int) -> pa.Array:
    segments = [
        text
        for kind, run in itertools.groupby(fragment.segments, type)
        for text in (["".join(run)] if kind is str else run)
    ]
    if all(isinstance(segment, str) for segment in segments):
        return pa.array(segments * rows, pa.string())
    if len(segments) == 1:
        return segments[0]
    # Not `null_handling="skip"`: in pyarrow 26 it loses rows in which everything is null.
    return pc.binary_join_element_wise(
        *segments,
        "",
        null_handling="emit_null" if fragment.optional else "replace",
        null_replacement="",
    )


def _column(text: pa.Array) -> Fragment:
    return Fragment((text,), text.null_count > 0)


def _fragment(node: Node, source: Bindings) -> Fragment:
    if isinstance(node, Constant):
        return Fragment((node.json,))
    if isinstance(node, Value):
        return _value(source.value(node.expression))
    if isinstance(node, Repeated):
        return _each(node, source)
    if isinstance(node, When):
        return _when(node, source)
    if isinstance(node, List):
        members = [
            _Member(isinstance(item, Constant), "", _fragment(item, source)) for item in node.items
        ]
        whole = _enclosed(members, "[]", node.keep, source.rows)
        return _only_with(
            whole, [member.fragment for member in members] if node.whole else [], source.rows
        )
    if isinstance(node, Joined):
        texts = [_text(part, source) for part in node.parts]
        return _value(pc.binary_join_element_wise(*texts, ""))
    fragments = {key: _fragment(child, source) for key, child in node.items}
    taken = pa.array(np.zeros(source.rows, bool)) if node.one_of else None
    for key in node.one_of:
        text = _joined(fragments[key], source.rows)
        fragments[key] = _column(pc.if_else(taken, None, text))
        taken = pc.or_(taken, pc.is_valid(text))
    whole = _enclosed(
        [
            _Member(isinstance(child, Constant), json_key(key), fragments[key])
            for key, child in node.items
        ],
        "{}",
        node.keep,
        source.rows,
    )
    return _only_with(whole, [fragments[key] for key in node.all_of], source.rows)


def _only_with(whole: Fragment, needed: list[Fragment], rows: int) -> Fragment:
    """The whole, in rows that leave out none of the needed fragments."""
    for fragment in needed:
        if fragment.optional:
            there = pc.is_valid(_joined(fragment, rows))
            whole = _column(pc.if_else(there, _joined(whole, rows), None))
    return whole


def _text(node: Constant | Value, source: Bindings) -> pa.Array:
    """A node as texts, shape (rows,); null where it has no value."""
    if isinstance(node, Constant):
        return pa.array([str(orjson.loads(node.json))] * source.rows, pa.string())
    value = source.value(node.expression)
    return value.text if isinstance(value, Json) else value.cast(pa.string())


def _enclosed(members: list[_Member], brackets: str, keep: bool, rows: int) -> Fragment:
    """Members between brackets, with commas.

    Rows in which all members but constant ones are left out leave the whole out, or keep it empty.
    """
    members = [member for member in members if not _is_nowhere(member.fragment)]
    varying = [member.fragment for member in members if not member.constant]
    if not varying and not keep:
        return Fragment((pa.nulls(rows, pa.string()),), True)
    always = [not member.fragment.optional for member in members]
    if all(always) or (len(varying) == 1 and not keep):
        commas = ["", *[","] * len(members)]
        segments = [
            segment
            for comma, member in zip(commas, members, strict=False)
            for segment in (comma, member.key, *member.fragment.segments)
        ]
        return Fragment((brackets[0], *segments, brackets[1]), not all(always))
    return _with_gaps(members, always, brackets, keep, rows)


def _is_nowhere(fragment: Fragment) -> bool:
    """Whether every row leaves it out."""
    return fragment.optional and any(
        isinstance(segment, pa.Array) and segment.null_count == len(segment)
        for segment in fragment.segments
    )


def _with_gaps(
    members: list[_Member], always: list[bool], brackets: str, keep: bool, rows: int
) -> Fragment:
    """As `_enclosed`, where rows leave out some of several members.

    Each optional member brings its own comma, on the side of a member that is always there.
    """
    fixed = always.index(True) if any(always) else -1
    segments: list[str | pa.Array] = []
    filled: list[pa.Array] = []
    for place, member in enumerate(members):
        text = (
            "," if place > fixed else "",
            member.key,
            *member.fragment.segments,
            "," if place < fixed else "",
        )
        if member.fragment.optional:
            column = _joined(Fragment(text, True), rows)
            filled.append(pc.is_valid(column))
            segments.append(column)
        else:
            segments += text
    whole = Fragment((brackets[0], *segments, brackets[1]))
    if fixed < 0:
        whole = Fragment(
            (
                pc.binary_replace_slice(
                    _joined(Fragment((*segments, brackets[1])), rows), 0, 1, brackets[0]
                ),
            )
        )
    elif keep or any(
        there and not member.constant for there, member in zip(always, members, strict=True)
    ):
        return whole
    somewhere = functools.reduce(pc.or_, filled)
    if pc.all(somewhere).as_py():
        return whole
    return _column(pc.if_else(somewhere, _joined(whole, rows), brackets if keep else None))


def _when(node: When, source: Bindings) -> Fragment:
    """A node, left out where one of its conditions does not hold."""
    holds = np.ones(source.rows, bool)
    for expression, wanted in node.conditions:
        value = source.value(expression)
        found = value.text if isinstance(value, Json) else value
        holds &= (
            present(found)
            if wanted is None
            else mask(pc.is_in(texts(found), value_set=pa.array(wanted)))
        )
    if holds.all():
        return _fragment(node.node, source)
    written = _joined(_fragment(node.node, source), source.rows)
    return _column(pc.if_else(pa.array(holds), written, None))


def _each(node: Repeated, source: Bindings) -> Fragment:
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
    """Values as JSON, by their type."""
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
    """Texts with JSON's escapes; nearly always there is nothing to escape."""
    if not contains_bytes(texts, below=0x20, among=b'"\\'):
        return texts
    special = pc.fill_null(pc.match_substring_regex(texts, _NEEDS_ESCAPE), False)
    if not pc.any(special).as_py():
        return texts
    written = pa.array(
        [orjson.dumps(text).decode()[1:-1] for text in texts.filter(special).to_pylist()],
        pa.string(),
    )
    return pc.replace_with_mask(texts, special, written)
