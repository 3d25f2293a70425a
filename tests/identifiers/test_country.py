"""Countries, however people write them."""

from __future__ import annotations

import pycountry
import pytest

from connector.identifiers.country import country_alpha2, country_alpha2_upper
from tests.support.encoding import applied


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


def test_every_country_is_known_by_each_of_its_names_in_iso_3166() -> None:
    for country in pycountry.countries:
        names = [
            country.alpha_2,
            country.alpha_3.lower(),
            country.name,
            country.name.upper(),
            getattr(country, "official_name", country.name),
        ]
        assert applied(country_alpha2, *names) == [country.alpha_2.lower()] * len(names)
