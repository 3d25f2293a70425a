"""Functions of platform files that no identifier goes through."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.platforms.functions import FUNCTIONS, Context, Json


def applied(name: str, values: pa.Array, argument: str | None = None, **columns: Any) -> list[Any]:
    table = pa.table({key: pa.array(column) for key, column in columns.items()})
    found = FUNCTIONS[name](values, Context(table, np.zeros(len(values))), argument)
    if isinstance(found, Json):
        return [None if text is None else orjson.loads(text) for text in found.text.to_pylist()]
    return found.to_pylist()


@pytest.mark.parametrize(
    ("given_object", "expected"),
    [
        ('{"tier":"gold","n":1.50,"yes":true}', [("tier", "gold"), ("n", "1.5"), ("yes", "true")]),
        ('{"a":null,"b":"","c":{"d":[1]}}', [("c", '{"d":[1]}')]),
        ('{"mail":"jane@shop.example","jane@shop.example":1}', None),
        *[(bad, None) for bad in ("{}", "[]", "no json", '"x"', "", "null")],
    ],
)
def test_pairs_are_made_of_an_object_without_what_may_be_an_address(
    given_object: str, expected: list[tuple[str, str]] | None
) -> None:
    (found,) = applied("pairs", pa.array([given_object]), "variable, value")
    assert (found and [(each["variable"], each["value"]) for each in found]) == expected


def test_pairs_are_made_of_nested_columns_too() -> None:
    structs = pa.array([{"tier": "gold", "n": 2}])
    maps = pa.array([[("tier", "gold"), ("n", "2")]], pa.map_(pa.string(), pa.string()))
    expected = [[{"k": "tier", "v": "gold"}, {"k": "n", "v": "2"}]]
    assert applied("pairs", structs, "k,v") == applied("pairs", maps, "k,v") == expected


@settings(max_examples=100, deadline=None)
@given(st.dates(), st.sampled_from(["", "T10:00:00Z", " 10:00:00", "T23:59"]))
def test_a_day_is_read_from_dates_and_times(day: dt.date, rest: str) -> None:
    assert applied("iso_date", pa.array([day.isoformat() + rest])) == [day.isoformat()]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12))
def test_whatever_is_no_day_is_none(text: str) -> None:
    (found,) = applied("iso_date", pa.array([text]))
    assert found is None or dt.date.fromisoformat(found)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en_US", "en"),
        ("DE", "de"),
        ("pt-BR", "pt"),
        ("fr.UTF-8", "fr"),
        ("fil_PH", None),
        ("e", None),
    ],
)
def test_a_language_has_two_letters(locale: str, language: str | None) -> None:
    assert applied("language", pa.array([locale])) == [language]


@pytest.mark.parametrize(
    ("state", "country", "code"),
    [
        ("California", "United States", "ca"),
        ("TX", "us", "tx"),
        ("MT", "Italy", None),
        ("TX", None, None),
        ("Bavaria", "US", None),
    ],
)
def test_a_state_is_one_of_the_us_where_the_country_says_so(
    state: str, country: str | None, code: str | None
) -> None:
    countries = pa.array([country], pa.string())
    assert applied("us_state", pa.array([state]), country=countries) == [code]
    assert applied("us_state", pa.array([state])) == [None]
