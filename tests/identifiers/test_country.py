"""Countries, however people write them."""

from __future__ import annotations

from typing import Any

import pycountry
import pytest
from babel import localedata
from babel.core import get_global

from connector.identifiers.country import country_alpha2, country_alpha2_upper
from tests.support.encoding import applied


def test_countries_are_two_letters_from_codes_and_english_names() -> None:
    assert applied(
        country_alpha2, "US", "usa", "United States", "UK", "NO", "Germany", "DEU", "Scotland"
    ) == ["us", "us", "us", "gb", "no", "de", "de", "gb"]
    assert applied(country_alpha2, "Nowhere", "S.U.", "EU", "ZZ", "false", "") == [None] * 6
    assert applied(country_alpha2_upper, "usa", "nowhere") == ["US", None]


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("ru", ["Russia", "Russian Federation", "RUS"]),
        ("tr", ["Turkey", "Türkiye", "TURKIYE"]),
        ("gb", ["Great Britain", "United Kingdom", "the United Kingdom", "Northern Ireland"]),
        ("kr", ["South Korea", "Korea, Republic of", "Republic of Korea", "Korea", "대한민국"]),
        ("us", ["U.S.A.", "U.S.", "U. S. A.", "Estados Unidos", "EE. UU.", "Vereinigte Staaten"]),
        ("gb", ["U.K.", "u.k", "Royaume-Uni", "Reino Unido"]),
        ("de", ["Deutschland", "DEUTSCHLAND", "Allemagne", "Alemania", "Duitsland"]),
        ("es", ["España", "Espana", "Spanien"]),
        ("br", ["Brasil", "Brazil", "Brésil"]),
        ("xk", ["Kosovo", "XK", "xkx"]),
        ("ae", ["U.A.E.", "UAE"]),
        ("ru", ["Россия", "Russland"]),
        ("gr", ["Ελλάδα", "ΕΛΛΆΔΑ"]),
        ("jp", ["日本", "Japon"]),
        ("mm", ["Burma", "Myanmar", "Myanmar (Burma)"]),
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
def test_countries_are_known_by_the_names_that_people_write(code: str, names: list[str]) -> None:
    assert applied(country_alpha2, *names) == [code] * len(names)


def test_a_name_that_several_countries_share_is_none() -> None:
    assert applied(country_alpha2, "Virgin Islands", "840", "Republic") == [None] * 3


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


def test_every_country_is_known_in_its_own_languages() -> None:
    """Source: CLDR, as babel brings it; Belgium is Belgique and België."""
    official = {
        code: [name.split("_")[0] for name, facts in languages.items() if _is_spoken(facts)]
        for code, languages in get_global("territory_languages").items()
    }
    known = {country.alpha_2 for country in pycountry.countries}
    for code in sorted(known & official.keys()):
        names = [
            name
            for language in official[code]
            if localedata.exists(language)
            and (name := localedata.load(language)["territories"].get(code))
        ]
        assert applied(country_alpha2, *names) == [code.lower()] * len(names), (code, names)


def _is_spoken(facts: dict[str, Any]) -> bool:
    share = facts["population_percent"]
    return facts["official_status"] in ("official", "de_facto_official") and share >= 20
