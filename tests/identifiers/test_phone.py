"""Phone numbers: E.164 or nothing."""

from __future__ import annotations

import re

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from connector.identifiers.phone import phone_digits, phone_e164
from tests.support.encoding import TEXTS, applied

REGIONS = [None, "US", "GB", "IT", "DE", "FR"]
E164 = re.compile(r"\+[1-9]\d{6,14}\Z")
DIALLED = st.text("0123456789+-() ./x٣３eE,;", min_size=5, max_size=22)


def read(text: str, region: str | None) -> str | None:
    (number,) = applied(phone_e164, text, region=region)
    return number


@st.composite
def written_numbers(draw: st.DrawFn) -> tuple[str, str, str]:
    """A real number, its region, and one of the ways in which people write it."""
    region = draw(st.sampled_from(["US", "GB", "IT", "DE", "FR", "BR", "JP", "AU", "CI", "AR"]))
    kind = draw(
        st.sampled_from(
            [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]
        )
    )
    number = phonenumbers.example_number_for_type(region, kind)
    form = draw(
        st.sampled_from(
            [
                PhoneNumberFormat.NATIONAL,
                PhoneNumberFormat.INTERNATIONAL,
                PhoneNumberFormat.E164,
                PhoneNumberFormat.RFC3966,
            ]
        )
    )
    text = phonenumbers.format_number(number, form)
    written = draw(
        st.sampled_from(
            [
                text,
                text.replace(" ", "-"),
                text.replace(" ", "."),
                f"{text} x12",
                text.translate({ord("1"): "１", ord("2"): "٢"}),
            ]
        )
    )
    return written, region, phonenumbers.format_number(number, PhoneNumberFormat.E164)


@settings(max_examples=300, deadline=None)
@given(TEXTS | DIALLED, st.sampled_from(REGIONS))
def test_any_text_is_a_valid_number_or_nothing(text: str, region: str | None) -> None:
    number = read(text, region)
    assert number is None or (
        E164.match(number) and phonenumbers.is_valid_number(phonenumbers.parse(number))
    )


@settings(max_examples=200, deadline=None)
@given(written_numbers())
def test_a_real_number_is_read_however_it_is_written(written: tuple[str, str, str]) -> None:
    text, region, number = written
    assert read(text, region) == number
    assert read(number, None) == number


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | DIALLED, max_size=10), st.sampled_from(REGIONS))
def test_digits_are_the_number_without_its_plus(
    texts: list[str | None], region: str | None
) -> None:
    numbers = applied(phone_e164, *texts, region=region)
    assert applied(phone_digits, *texts, region=region) == [
        None if number is None else number[1:] for number in numbers
    ]
    assert all(number is None for text, number in zip(texts, numbers, strict=True) if text is None)


def test_a_national_number_of_every_region_is_read_in_its_region_alone() -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        number = phonenumbers.example_number(region)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        assert (read(national, region), read(national, None)) == (expected, None), region


def test_a_number_is_never_given_the_country_code_of_another_region() -> None:
    assert read("4155552671", "US") == "+14155552671"
    assert read("4155552671", "GB") is None
    assert read("14155552671", None) is None


def test_a_leading_zero_that_belongs_to_the_number_stays() -> None:
    assert read("+39 06 698 12345", None) == "+390669812345"
    assert applied(phone_digits, "06 698 12345", region="IT") == ["390669812345"]


@pytest.mark.parametrize("text", ["14155552671.0", "14155552671"])
def test_a_whole_number_that_came_as_a_float_is_read(text: str) -> None:
    assert read(text, "US") == "+14155552671"


@pytest.mark.parametrize(
    "text",
    ["14155552671.5", "14155552671.00", "1.4155552671e10", "1.4155552671E+10", "1415555.0.2671"],
)
def test_a_number_with_a_fraction_or_an_exponent_is_not_guessed_at(text: str) -> None:
    assert read(text, "US") is None


def by_country(*pairs: tuple[str | None, str | None], region: str | None) -> list[str | None]:
    phones, countries = (pa.array(column, pa.string()) for column in zip(*pairs, strict=True))
    return phone_e164(phones, region, countries).to_pylist()


def test_a_national_number_belongs_to_the_country_of_its_row() -> None:
    """`06 12 34 56 78` of France and `(415) 555-2671` of the US are not German numbers."""
    assert by_country(
        ("06 12 34 56 78", "FR"),
        ("(415) 555-2671", "United States"),
        ("030 123456", None),
        ("+33 6 12 34 56 78", "DE"),
        ("06 12 34 56 78", "Atlantis"),
        (None, "FR"),
        region="DE",
    ) == ["+33612345678", "+14155552671", "+4930123456", "+33612345678", None, None]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | DIALLED, st.sampled_from([None, "us", "DEU", "Brasil", "zz"])),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(REGIONS),
)
def test_many_countries_in_one_column_are_read_as_one_after_the_other(
    pairs: list[tuple[str | None, str | None]], region: str | None
) -> None:
    codes = {"us": "US", "DEU": "DE", "Brasil": "BR", "zz": None, None: region}
    expected = [None if text is None else read(text, codes[country]) for text, country in pairs]
    assert by_country(*pairs, region=region) == expected


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+52 1 222 123 4567", None),
        ("0052 1 222 123 4567", "DE"),
        ("521 222 123 4567", "MX"),
        ("044 222 123 4567", "MX"),
        ("01 222 123 4567", "MX"),
    ],
)
def test_mexican_numbers_lose_the_prefix_that_fell_away(text: str, region: str | None) -> None:
    """Source: IFT, ten digits for every number since 3 August 2019."""
    assert read(text, region) == "+522221234567"
    assert read("+52 1 222 123 456", None) is None


def test_digits_with_the_own_calling_code_are_not_a_national_number() -> None:
    assert read("4915112345678", "DE") == "+4915112345678"
    assert read("00 49 151 12345678", "DE") == "+4915112345678"
    assert read("442079460958", "GB") == "+442079460958"
    assert read("390 669 8123", "IT") == "+393906698123"
