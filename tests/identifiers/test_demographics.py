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
