"""Nothing but a serialiser writes into a body:
whatever rows hold, it parses and has the template's keys alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.arrow.convert import array_of_values
from connector.arrow.records import Records
from connector.mapping.coverage import usable_columns
from connector.mapping.serializer import Serializer
from connector.platforms.columns import COLUMNS
from connector.platforms.functions import FUNCTIONS, TAKES
from tests.platforms.parts import NAMES, everything, full, on_paper
from tests.support.encoding import TEXTS, bodies, capi, encode, row

AS_OF = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
HOSTILE = st.sampled_from(
    [
        '1,"x":true',
        '"}],"x":[{"',
        "n/a",
        "NaN",
        "1e999",
        "\\",
        '\\"',
        "{",
        '{"x":1}',
        '[{"id":"a","x":"y","price":"1,2","quantity":"0x1"}]',
        "\u2028",
        "\x7f",
        "007",
        "true",
        "$events",
        "=x",
    ]
)
ANYTHING = HOSTILE | TEXTS
EXTRA = {
    "injected.text": "a",
    "injected.number": "b | number",
    "injected.integer": "c | integer",
    "injected.boolean": {"column": "d", "type": "boolean"},
    "injected.json": {"column": "e", "type": "json"},
    "injected.cased": "f | upper",
    "injected.float": "g | float",
    "injected.time": "h | unix_s",
}
NUMBERS = st.none() | st.floats() | st.integers(-(2**70), 2**70)
OBJECTS = {
    "injected.json",
    "user_agent",
    "data_processing_options",
    "user.data_processing_options",
    "custom_data.content_ids",
    "properties.content_ids",
    "customData.itemIds",
    "customVariables",
}
"""Places where a value is a list or an object by itself."""


def places(template: Any, path: str = "") -> Iterator[str]:
    """Paths of a template's leaves; lists are no step."""
    if isinstance(template, dict):
        if "$each" in template:
            yield from places(template["item"], path)
            return
        for key, value in template.items():
            if key in ("$list", "$value"):
                yield from places(value, path)
            elif not key.startswith("$"):
                yield from places(value, f"{path}.{key}".lstrip("."))
    elif isinstance(template, list):
        for value in template:
            yield from places(value, path)
    else:
        yield path


def found(value: Any, path: str = "") -> Iterator[str]:
    """Paths of what a record holds."""
    if path in OBJECTS:
        yield path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from found(child, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for child in value:
            yield from found(child, path)
    else:
        yield path


@settings(  # many rows at a time: a column costs as much as a value
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.data())
@pytest.mark.parametrize("name", NAMES)
def test_every_body_parses_and_has_the_keys_of_its_template_alone(
    name: str, data: st.DataObject
) -> None:
    destination = on_paper(name, identifiers=everything(name), extra=EXTRA)
    serializer = Serializer(destination)
    rows = data.draw(st.integers(1, 12))
    columns: dict[str, pa.Array] = {}
    for column in usable_columns(destination):
        good = full()[column]
        if column in ("event_name", "event_time"):
            values = [good] * rows
        else:
            values = [data.draw(st.just(good) | ANYTHING | st.none()) for _ in range(rows)]
        columns[column] = array_of_values(values)
    for column in "abcdefgh":
        kind = data.draw(st.sampled_from([NUMBERS, ANYTHING, st.none() | st.booleans()]))
        columns[f"extra.{column}"] = array_of_values([data.draw(kind) for _ in range(rows)])
    keys = pa.array([f"c{number}" for number in range(rows)])
    encoded = serializer.encode(pa.table(columns), keys, AS_OF)
    allowed = {*places(destination.platform.event), *EXTRA}
    for record, group in zip(encoded.records, encoded.groups.tolist(), strict=True):
        assert set(found(orjson.loads(record))) <= allowed
        orjson.loads(serializer.body(Records.of([record]), encoded.group_values[group]))


@settings(max_examples=6, deadline=None)
@given(st.lists(ANYTHING, min_size=1, max_size=20))
@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if TAKES[name] in ("text", "any") and name != "lookup"]
)
def test_a_function_writes_json_whatever_the_texts_are(name: str, texts: list[str]) -> None:
    """Also one that a platform file of the user's
    own calls on a column that it is not meant for.
    """
    argument = {
        "at_most": "(64)",
        "pairs": "(name,value)",
        "absent_from": "(words)",
        "when_in": "(words)",
        "where": "(event_name!=x)",
    }.get(name, "")
    destination = capi(
        overrides={
            "event": {"seen": f"order_id | {name}{argument}"},
            "tables": {"words": {"n/a": "x"}},
        }
    )
    rows = [row(order_id=text, value="1", currency="USD") for text in texts]
    for record in bodies(encode(rows, destination)):
        assert set(record) <= {*destination.platform.event, "seen"}


def test_every_column_is_tried_with_what_is_hostile() -> None:
    assert set(full()) == set(COLUMNS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("value | number or =none", [1.5, "none"]),
        ("=x or value | number", ["x", "x"]),
        ("order_id or num_items", ['a "b"', 7]),
        ("num_items or order_id", [3, "c"]),
        ("consent or num_items or =?", [True, 7]),
        ("num_items | text or =", ["3", "7"]),
    ],
)
def test_alternatives_of_different_kinds_are_each_written_by_their_own_type(
    expression: str, expected: list[Any]
) -> None:
    rows = [
        row(value="1.5", currency="USD", order_id='a "b"', num_items=3, consent=True),
        row(value=None, order_id=None, num_items=7, consent=None),
    ]
    if expression == "num_items or order_id":
        rows[1] |= {"order_id": "c", "num_items": None}
    seen = {"x": expression, "lines": {"$each": "contents", "item": {"n": "price | amount or =?"}}}
    destination = capi(overrides={"event": {"seen": seen}})
    entries = '[{"price":"2"},{"price":"n/a"}]'
    encoded = bodies(encode([{**each, "contents": entries} for each in rows], destination))
    assert [record["seen"]["x"] for record in encoded] == expected
    assert [record["seen"]["lines"] for record in encoded] == [[{"n": 2}, {"n": "?"}]] * 2
