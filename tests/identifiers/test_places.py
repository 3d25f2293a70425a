"""States and postal codes."""

from __future__ import annotations

import pyarrow as pa

from connector.identifiers.places import (
    state_2,
    zip_digits,
    zip_meta,
    zip_nospace,
)
from tests.support.encoding import applied


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
    assert applied(zip_digits, "SW1A 1AA", "94105-0011", "ABC") == [None, "941050011", None]
