"""Names, addresses, birth dates and genders."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.person import (
    city_nospace,
    country_alpha2,
    country_alpha2_upper,
    dob_iso,
    dob_yyyymmdd,
    gender_f_m,
    lower_alnum,
    name_basic,
    name_nopunct,
    state_2,
    zip_digits,
    zip_meta,
    zip_nospace,
)
from tests.support.encoding import TEXTS, applied

Rule = Callable[[pa.Array], pa.Array]
NAMES = [name_basic, name_nopunct, city_nospace, lower_alnum, state_2]
ALL = [
    *NAMES,
    zip_nospace,
    zip_digits,
    country_alpha2,
    country_alpha2_upper,
    dob_yyyymmdd,
    dob_iso,
    gender_f_m,
]
NAME_TEXTS = st.text("aZéÉŁ정 '-.,\u00a0\u200b😀ßＡ9", max_size=12)
DATES = st.dates(dt.date(1850, 1, 1), dt.date(2030, 1, 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | TEXTS | NAME_TEXTS, max_size=10))
@pytest.mark.parametrize("rule", ALL)
def test_every_text_has_a_normal_form_or_none(rule: Rule, texts: list[str | None]) -> None:
    found = applied(rule, *texts)
    assert len(found) == len(texts)
    assert all(form is None for text, form in zip(texts, found, strict=True) if text is None)
    assert "" not in found


@settings(max_examples=100, deadline=None)
@given(NAME_TEXTS | TEXTS)
@pytest.mark.parametrize("rule", ALL)
def test_a_normal_form_is_its_own_normal_form(rule: Rule, text: str) -> None:
    (once,) = applied(rule, text)
    assert once is None or unicodedata.is_normalized("NFC", once)
    assert applied(rule, once) == [once]


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
        letter for letter in plain if unicodedata.category(letter)[0] not in "PS"
    ).strip()
    assert applied(name_basic, name) == [plain or None]
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


def test_composed_and_decomposed_letters_are_one_name() -> None:
    assert applied(name_basic, "Val\u00e9ry", "Vale\u0301ry") == ["val\u00e9ry"] * 2


def test_names_keep_every_alphabet_and_lose_only_punctuation() -> None:
    assert applied(name_nopunct, "O'Brien-Müller", "정", "Łukasz", "مریم", "😀", "...") == [
        "obrienmüller",
        "정",
        "łukasz",
        "مریم",
        None,
        None,
    ]
    assert applied(city_nospace, "St. John's", "New  York", "São Paulo") == [
        "stjohns",
        "newyork",
        "sãopaulo",
    ]


def test_american_states_become_two_letters_and_others_stay() -> None:
    assert applied(
        state_2,
        "CA",
        "California",
        "new york",
        "N.Y.",
        "Bayern",
        "District of Columbia",
        "Nordrhein-Westfalen",
    ) == [
        *("ca", "ca", "ny", "ny"),
        *("bayern", "dc", "nordrheinwestfalen"),
    ]


def test_countries_are_two_letters_from_codes_and_english_names() -> None:
    assert applied(
        country_alpha2, "US", "usa", "United States", "UK", "NO", "Germany", "DEU", "Scotland"
    ) == ["us", "us", "us", "gb", "no", "de", "de", "gb"]
    assert applied(country_alpha2, "Deutschland", "U.S.", "EU", "ZZ", "false", "") == [None] * 6
    assert applied(country_alpha2_upper, "usa", "nowhere") == ["US", None]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("ru", ["Russia", "Russian Federation", "RUS"]),
        ("tr", ["Turkey", "Türkiye", "TURKIYE"]),
        ("gb", ["Great Britain", "United Kingdom", "the United Kingdom", "Northern Ireland"]),
        ("kr", ["South Korea", "Korea, Republic of", "Republic of Korea"]),
        ("ci", ["Ivory Coast", "Côte d'Ivoire", "Cote d\u2019Ivoire"]),
        ("tt", ["Trinidad & Tobago", "Trinidad and Tobago"]),
        ("cg", ["Congo", "Republic of the Congo"]),
        ("cd", ["DR Congo", "Congo, The Democratic Republic of the"]),
        ("nl", ["The Netherlands", "netherlands", "Holland"]),
        ("cz", ["Czechia", "Czech Republic"]),
        ("va", ["Vatican City", "Holy See"]),
        ("lc", ["St. Lucia", "Saint Lucia"]),
    ],
)
def test_countries_are_known_by_their_usual_english_name(code: str, names: list[str]) -> None:
    assert applied(country_alpha2, *names) == [code] * len(names)


def test_a_name_that_several_countries_share_is_none() -> None:
    assert applied(country_alpha2, "Korea", "Virgin Islands", "840", "Republic") == [None] * 4


@pytest.mark.parametrize("country", list(pycountry.countries), ids=lambda country: country.alpha_2)
def test_every_country_is_known_by_each_of_its_names_in_iso_3166(country: Any) -> None:
    names = [
        country.alpha_2,
        country.alpha_3.lower(),
        country.name,
        country.name.upper(),
        getattr(country, "official_name", country.name),
    ]
    assert applied(country_alpha2, *names) == [country.alpha_2.lower()] * len(names)


def test_postal_codes_keep_leading_zeros_and_follow_the_country() -> None:
    countries = pa.array(["US", "United States", None, "GB", "uk", "FR", "DE", "GB"])
    codes = [
        "02139-4307",
        "021394307",
        "94105-0011",
        "SW1A 1AA",
        "M1 1AE",
        "75008",
        "02139-4307",
        "94105",
    ]
    assert applied(zip_meta, *codes, countries=countries) == [
        "02139",
        "02139",
        "94105",
        "sw1a1",
        "m11",
        "75008",
        "02139",
        "94105",
    ]
    assert applied(zip_meta, "SW1A 1AA", "94105-0011", "021394307", countries=None) == [
        "sw1a1aa",
        "94105",
        "021394307",
    ]
    assert applied(zip_nospace, "SW1A 1AA", " 94105-0011", "-") == ["sw1a1aa", "941050011", None]
    assert applied(zip_digits, "SW1A 1AA", "94105-0011", "ABC") == ["11", "941050011", None]


@settings(max_examples=200, deadline=None)
@given(DATES)
def test_a_date_is_read_in_each_documented_order(born: dt.date) -> None:
    digits = (
        f"{born:%Y%m%d}" if dt.date(1900, 1, 1) < born < dt.datetime.now(dt.UTC).date() else None
    )
    for text in (
        born.isoformat(),
        f"{born:%Y%m%d}",
        f"{born:%m/%d/%Y}",
        f"{born.month}/{born.day}/{born.year}",
        f"{born.isoformat()}T00:00:00Z",
    ):
        assert applied(dob_yyyymmdd, text) == [digits]
        assert applied(dob_iso, text) == [None if digits is None else born.isoformat()]


@pytest.mark.parametrize(
    "text",
    [
        "0000-00-00",
        "1900-01-01",
        "9999-12-31",
        "31/12/1990",
        "1990-13-01",
        "1990-02-30",
        "90-12-31",
        "12-31-1990",
        "unknown",
    ],
)
def test_what_is_no_birth_date_is_dropped(text: str) -> None:
    assert applied(dob_yyyymmdd, text) == [None]


@pytest.mark.parametrize(
    "text", ["199011", "1990121", "1990-12-311", "12/31/19901", "1990-12-31 or so"]
)
def test_a_birth_date_is_never_guessed(text: str) -> None:
    assert applied(dob_yyyymmdd, text) == [None]


def test_genders_are_one_letter_or_nothing() -> None:
    assert applied(gender_f_m, "F", "female", "Woman", "m", "MALE", "man") == [
        "f",
        "f",
        "f",
        "m",
        "m",
        "m",
    ]
    assert applied(gender_f_m, "x", "diverse", "unknown", "mr", "fm", "1") == [None] * 6
