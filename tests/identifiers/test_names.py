"""Names, and places that are normalised like names."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.names import name_basic, name_joined, name_nopunct, name_nospace
from connector.identifiers.places import (
    city_nospace,
    lower_alnum,
    state_2,
    state_code,
    zip_nospace,
)
from tests.support.encoding import applied

Rule = Callable[[pa.Array], pa.Array]
NAME_TEXTS = st.text("aZéÉŁ정 '-.,\u00a0\u200b😀ßＡ9", max_size=12)


@pytest.mark.parametrize("name", ["Jose\u200d\u0301", "J\u030cana", "H\u0331ana"])
@pytest.mark.parametrize("rule", [name_basic, name_nopunct, city_nospace])
def test_two_spellings_of_one_name_have_one_form(rule: Rule, name: str) -> None:
    plain = unicodedata.normalize("NFC", name.replace("\u200d", "").lower())
    assert applied(rule, name) == applied(rule, plain)


@settings(max_examples=200, deadline=None)
@given(NAME_TEXTS)
def test_names_are_what_python_makes_of_them(name: str) -> None:
    plain = (
        "".join(
            letter
            for letter in unicodedata.normalize("NFC", name)
            if unicodedata.category(letter) not in ("Cc", "Cf")
        )
        .lower()
        .strip()
    )
    no_punctuation = "".join(
        letter
        for letter in plain
        if unicodedata.category(letter)[0] != "P" and letter not in string.punctuation
    ).strip()
    if not any(unicodedata.category(letter)[0] in "LN" for letter in no_punctuation):
        no_punctuation = ""
    assert applied(name_basic, name) == [plain or None]
    joined = "".join("".join(c for c in plain if c not in string.punctuation).split())
    lettered = any(unicodedata.category(letter)[0] in "LN" for letter in joined)
    assert applied(name_joined, name) == [joined if lettered else None]
    assert applied(name_nospace, name) == ["".join(plain.split()) or None]
    assert applied(name_nopunct, name) == [no_punctuation or None]
    assert applied(city_nospace, name) == ["".join(no_punctuation.split()) or None]
    assert applied(lower_alnum, name) == [
        "".join(letter for letter in plain if unicodedata.category(letter)[0] in "LN") or None
    ]


@pytest.mark.parametrize(
    ("rule", "text", "form"),
    [
        (city_nospace, "New\u00a0York", "newyork"),
        (state_2, "New\u00a0York", "ny"),
        (zip_nospace, "SW1A\u00a01AA", "sw1a1aa"),
    ],
)
def test_every_kind_of_space_is_taken_out(rule: Rule, text: str, form: str) -> None:
    assert applied(rule, text) == [form]


def test_a_state_without_a_code_of_two_letters_has_none() -> None:
    assert applied(state_code, "California", "ca", "N.Y.", "\u00cele-de-France", "NSW", "7") == [
        *("ca", "ca", "ny"),
        *(None, None, None),
    ]


def test_composed_and_decomposed_letters_are_one_name() -> None:
    assert applied(name_basic, "Val\u00e9ry", "Vale\u0301ry") == ["val\u00e9ry"] * 2


def test_names_keep_every_alphabet_and_lose_only_punctuation() -> None:
    assert applied(
        name_nopunct, "O'Brien-Müller", "정", "Łukasz", "مریم", "😀", "Jane😀", "..."
    ) == [
        "obrienmüller",
        "정",
        "łukasz",
        "مریم",
        None,
        "jane😀",
        None,
    ]
    assert applied(city_nospace, "St. John's", "New  York", "São Paulo") == [
        "stjohns",
        "newyork",
        "sãopaulo",
    ]
