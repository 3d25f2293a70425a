"""Birth dates and genders."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.demographics import dob_yyyymmdd, gender_f_m
from tests.support.encoding import applied

DATES = st.dates(dt.date(1850, 1, 1), dt.date(2030, 1, 1))


@settings(max_examples=200, deadline=None)
@given(DATES)
def test_a_date_is_read_in_each_form_of_which_the_order_is_known(born: dt.date) -> None:
    digits = (
        f"{born:%Y%m%d}" if dt.date(1900, 1, 1) < born < dt.datetime.now(dt.UTC).date() else None
    )
    for text in (
        born.isoformat(),
        f"{born:%Y%m%d}",
        f"{born:%Y/%m/%d}",
        f"{born:%Y.%m.%d}.",
        f"{born:%d.%m.%Y}",
        f"{born.day}.{born.month}.{born.year}",
        f"{born.isoformat()}T00:00:00Z",
    ):
        assert applied(dob_yyyymmdd, text) == [digits]
    assert applied(dob_yyyymmdd, f"{born:%m/%d/%Y}", order="mdy") == [digits]
    assert applied(dob_yyyymmdd, f"{born.day}/{born.month}/{born.year}", order="dmy") == [digits]
    certain = born.day > 12 or born.day == born.month
    assert applied(dob_yyyymmdd, f"{born:%m/%d/%Y}") == [digits if certain else None]


def test_an_order_that_is_not_known_is_not_guessed() -> None:
    assert applied(dob_yyyymmdd, "03/04/1990", "31/12/1990") == [None, None]
    assert applied(dob_yyyymmdd, "03/04/1990", "31/12/1990", order="dmy") == [
        "19900403",
        "19901231",
    ]
    assert applied(dob_yyyymmdd, "03/04/1990", "31/12/1990", order="mdy") == ["19900304", None]


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
