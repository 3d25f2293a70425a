"""Templates: always valid JSON, and the same JSON that a simple recursive renderer writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.mapping.render import Bindings, render, to_json
from connector.mapping.template import compile_template
from connector.platforms.expression import Alternatives
from connector.platforms.functions import Json, Values
from tests.support.encoding import TEXTS

CONSTANTS = {"account": {"id": 12, "key": 'a"b'}, "param": {"version": "v1"}}
COLUMNS = {
    "text": TEXTS,
    "word": st.sampled_from(["a", "\x00", '"', "\\", "😀", "\u2028", "", "\x1f\n\t"]),
    "number": st.integers(-(2**63), 2**63 - 1),
    "flag": st.booleans(),
}
TYPES = {"text": pa.string(), "word": pa.string(), "number": pa.int64(), "flag": pa.bool_()}
LITERALS = [
    1,
    2.5,
    True,
    "=as it is",
    '=a "quoted" \\ one',
    "=",
    "account.id",
    "param.version",
    "account.key",
]
EXPRESSIONS = ["text", "word", "number", "flag", "account.missing", "text or word"]
KEYS = st.sampled_from(["a", "b", 'c"d', "ключ", "e.f"])

Row = dict[str, Any]
MISSING = object()


class Rows:
    """Columns of plain values and one list column, as a template source."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = len(rows)
        self._rows = rows

    def value(self, expression: Alternatives) -> Values:
        found = [
            self._column(pipeline.name if pipeline.space == "column" else "")
            for pipeline in expression.pipelines
        ]
        return found[0] if len(found) == 1 else pa.compute.coalesce(*found)

    def entries(self, column: str) -> tuple[pa.ListArray, Bindings]:
        lists = [row[column] for row in self._rows]
        positions = pa.array(
            [None if entries is None else list(range(len(entries))) for entries in lists],
            pa.list_(pa.int64()),
        )
        return positions, Rows([entry for entries in lists for entry in entries or []])

    def _column(self, name: str) -> pa.Array:
        return pa.array([row.get(name) for row in self._rows], TYPES.get(name, pa.string()))


LEAVES = st.sampled_from([*LITERALS, *EXPRESSIONS])


def some_row_leaf(template: Any) -> bool:
    """Whether anything in a template depends on the row."""
    if isinstance(template, dict):
        return "$each" in template or any(
            some_row_leaf(value)
            for key, value in template.items()
            if key in ("$list",) or not key.startswith("$")
        )
    if isinstance(template, list):
        return any(some_row_leaf(value) for value in template)
    return template in EXPRESSIONS


@st.composite
def objects(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> dict[str, Any]:
    """An object, now and then with a key that must be there, or kept when empty."""
    template = draw(st.dictionaries(KEYS, children, min_size=1, max_size=4))
    if draw(st.integers(0, 3)) == 0:
        template["$all"] = [draw(st.sampled_from(sorted(template)))]
    if draw(st.integers(0, 3)) == 0:
        template["$keep"] = True
    return template


def nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(children, min_size=1, max_size=3)
    kept = st.builds(
        lambda items, keep: {"$list": items, **({"$keep": True} if keep else {})},
        lists,
        st.booleans(),
    )
    return st.one_of(objects(children), lists, kept)


FLAT = LEAVES | nodes(LEAVES)
EACH = st.builds(lambda item: {"$each": "items", "item": item}, FLAT)
TEMPLATES = st.recursive(LEAVES | EACH, nodes, max_leaves=10)
ENTRIES = st.fixed_dictionaries({name: st.none() | values for name, values in COLUMNS.items()})
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            **{name: st.none() | values for name, values in COLUMNS.items()},
            "items": st.none() | st.lists(ENTRIES, max_size=3),
        }
    ),
    min_size=1,
    max_size=5,
)


def reference(template: Any, row: Row) -> Any:
    """One row, one value: what the template says in its own words."""
    if isinstance(template, dict) and "$each" in template:
        found = [
            value
            for entry in row["items"] or []
            if (value := reference(template["item"], entry)) is not MISSING
        ]
        return found or MISSING
    if isinstance(template, dict) and "$list" in template:
        return _whole(
            list(enumerate(template["$list"])),
            row,
            bool(template.get("$keep")),
            lambda pairs: [value for _, value in pairs],
        )
    if isinstance(template, list):
        return _whole(
            list(enumerate(template)), row, False, lambda pairs: [value for _, value in pairs]
        )
    if isinstance(template, dict):
        children = [(key, value) for key, value in template.items() if not key.startswith("$")]
        whole = _whole(children, row, bool(template.get("$keep")), dict)
        return (
            MISSING
            if whole is MISSING or any(key not in whole for key in template.get("$all", ()))
            else whole
        )
    if not isinstance(template, str) or template.startswith("="):
        return template[1:] if isinstance(template, str) else template
    for name in template.split(" or "):
        space, _, constant = name.partition(".")
        value = CONSTANTS[space].get(constant) if constant else row.get(name)
        if value is not None:
            return value
    return MISSING


def _whole(
    children: list[tuple[Any, Any]],
    row: Row,
    keep: bool,
    build: Callable[[list[tuple[Any, Any]]], Any],
) -> Any:
    found = [
        (key, value) for key, child in children if (value := reference(child, row)) is not MISSING
    ]
    of_the_row = [key for key, child in children if some_row_leaf(child)]
    there = not of_the_row or any(key in of_the_row for key, _ in found)
    return build(found) if keep or there else MISSING


def rendered(template: Any, rows: list[Row]) -> list[str | None]:
    return render(compile_template(template, CONSTANTS), Rows(rows)).to_pylist()


@settings(max_examples=300, deadline=None)
@given(TEMPLATES, ROWS)
def test_a_template_gives_the_json_that_the_reference_gives(template: Any, rows: list[Row]) -> None:
    expected = [reference(template, row) for row in rows]
    assert rendered(template, rows) == [
        None if value is MISSING else orjson.dumps(value).decode() for value in expected
    ]


@settings(max_examples=100, deadline=None)
@given(TEMPLATES, ROWS, st.data())
def test_a_rows_json_does_not_depend_on_its_neighbours(
    template: Any, rows: list[Row], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    parts = [rendered(template, part) for part in (rows[:cut], rows[cut:]) if part]
    assert [text for part in parts for text in part] == rendered(template, rows)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=6))
def test_any_text_becomes_a_json_string(texts: list[str | None]) -> None:
    found = rendered("text", [{"text": text} for text in texts])
    assert [None if text is None else orjson.loads(text) for text in found] == texts


NOTHING: Row = {"text": None, "word": None, "number": None, "flag": None, "items": None}
A: Row = {**NOTHING, "text": "x"}


@pytest.mark.parametrize(
    ("template", "row", "expected"),
    [
        ({"a": "text", "b": "word"}, A, '{"a":"x"}'),
        ({"a": "text", "b": "word"}, NOTHING, None),
        ({"a": "text", "name": "=Email"}, NOTHING, None),
        ({"a": "text", "name": "=Email", "$keep": True}, NOTHING, '{"name":"Email"}'),
        ({"a": "text", "$keep": True}, NOTHING, "{}"),
        ({"o": {"a": "text"}, "b": 1}, NOTHING, None),
        ({"o": {"a": "text", "$keep": True}, "b": 1}, NOTHING, '{"o":{},"b":1}'),
        ({"a": "text", "b": "word", "$all": ["a", "b"]}, A, None),
        ({"a": "text", "b": "word", "$all": ["a"]}, A, '{"a":"x"}'),
        ({"a": "text", "b": "word", "$all": ["b"], "$keep": True}, A, None),
        (["text", "word", "=c"], A, '["x","c"]'),
        (["text", "word"], NOTHING, None),
        ({"$list": ["text"], "$keep": True}, NOTHING, "[]"),
        (
            {"a": 1, "b": True, "c": "=d", "e": "account.id"},
            NOTHING,
            '{"a":1,"b":true,"c":"d","e":12}',
        ),
        (
            {"$each": "items", "item": {"id": "text", "n": "number"}},
            {**A, "items": [{"text": "p", "number": 2}, {"text": None}, {"number": 0}]},
            '[{"id":"p","n":2},{"n":0}]',
        ),
        ({"$each": "items", "item": "text"}, {**A, "items": []}, None),
        ({"$each": "items", "item": "text"}, {**A, "items": [{"text": None}]}, None),
        ({"$each": "items", "item": "text"}, A, None),
        ("account.missing", A, None),
        ({"$list": ["=UID2", "text"], "$all": True}, A, '["UID2","x"]'),
        ({"$list": ["text", "word"], "$all": True}, A, None),
        ({"$join": ["text", "=-", "account.id", "text"]}, A, '"x-12x"'),
        ({"$join": ["=a", "text"]}, {**A, "text": 'q"'}, '"aq\\""'),
        ({"$join": ["text", "=-", "word"]}, A, None),
        ({"$join": ["=a", "=b"]}, A, '"ab"'),
        ({"r": {"$join": ["text", "word"]}, "t": "text"}, A, '{"t":"x"}'),
    ],
)
def test_what_has_no_value_is_left_out(template: Any, row: Row, expected: str | None) -> None:
    assert rendered(template, [row, row]) == [expected] * 2


def test_an_object_of_constants_counts_as_little_as_a_constant() -> None:
    assert rendered({"a": "text", "type": {"kind": "=web"}}, [NOTHING]) == rendered(
        {"a": "text", "type": "=web"}, [NOTHING]
    )


def test_keys_are_written_in_the_order_of_the_template() -> None:
    assert rendered({"z": "text", "a": "text", "m": 1}, [A]) == ['{"z":"x","a":"x","m":1}']


def test_values_are_written_by_their_type() -> None:
    assert to_json(pa.array(["a", None])).to_pylist() == ['"a"', None]
    assert to_json(pa.array([True, False, None])).to_pylist() == ["true", "false", None]
    assert to_json(pa.array([2**63 - 1, None])).to_pylist() == [str(2**63 - 1), None]
    assert to_json(pa.array([2**64 - 1], pa.uint64())).to_pylist() == [str(2**64 - 1)]
    assert to_json(Json(pa.array(["99.90", None]))).to_pylist() == ["99.90", None]


def test_a_time_without_an_encoder_is_iso_text() -> None:
    moment = dt.datetime(2026, 5, 31, 10, tzinfo=dt.UTC)
    assert to_json(pa.array([moment, None])).to_pylist() == ['"2026-05-31T10:00:00.000000Z"', None]


@pytest.mark.parametrize(
    "template", ["a b", "email |", "email | f(", "account.", {"a": "1x"}, [["x", {"b": "é"}]]]
)
def test_an_expression_that_is_not_understood_is_refused(template: Any) -> None:
    with pytest.raises(ValueError, match="is not"):
        compile_template(template, CONSTANTS)
