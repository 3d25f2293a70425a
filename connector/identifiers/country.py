"""Countries: ISO 3166 codes from whatever people write."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from connector.arrow.dictionary import map_distinct, remembered


def country_alpha2(countries: pa.Array) -> pa.Array:
    """ISO 3166 alpha-2 in lower case, from alpha-2, alpha-3 or the English name; null otherwise."""
    return map_distinct(countries, _country)


def country_alpha2_upper(countries: pa.Array) -> pa.Array:
    """As `country_alpha2`, in upper case. Source: Google Data Manager (`regionCode`)."""
    return pc.utf8_upper(country_alpha2(countries))


@remembered(4096)
def _country(text: str) -> str | None:
    code = text.strip().upper()
    known = pycountry.countries.get(alpha_2=code) or pycountry.countries.get(alpha_3=code)
    return str(known.alpha_2).lower() if known is not None else _country_names().get(_folded(text))


_USUAL_NAMES = {
    **dict.fromkeys(
        ("UK", "Great Britain", "Britain", "England", "Scotland", "Wales", "Northern Ireland"), "gb"
    ),
    **{
        "USA": "us",
        "United States of America": "us",
        "Russia": "ru",
        "Turkey": "tr",
        "Holland": "nl",
        "Czech Republic": "cz",
        "Slovak Republic": "sk",
    },
    **{
        "Ivory Coast": "ci",
        "Cape Verde": "cv",
        "Macedonia": "mk",
        "Swaziland": "sz",
        "Burma": "mm",
        "Brunei": "bn",
        "East Timor": "tl",
        "Vatican": "va",
    },
    **{
        "Vatican City": "va",
        "Macau": "mo",
        "Republic of Korea": "kr",
        "Democratic Republic of the Congo": "cd",
        "DR Congo": "cd",
        "Laos": "la",
    },
    **{
        "Republic of the Congo": "cg",
        "Congo Brazzaville": "cg",
        "Congo Kinshasa": "cd",
        "UAE": "ae",
        "British Virgin Islands": "vg",
    },
    **{
        "US Virgin Islands": "vi",
        "Syria": "sy",
        "Saint Martin": "mf",
        "Sint Maarten": "sx",
        "Micronesia": "fm",
        "Ireland, Republic of": "ie",
    },
}
"""English names in daily use that ISO 3166 does not list."""


@functools.cache
def _country_names() -> dict[str, str]:
    """Folded English name -> alpha-2.

    ISO's names whole, and up to a comma or bracket where no other country begins so.
    """
    whole = {
        _folded(name): country.alpha_2.lower()
        for country in pycountry.countries
        for name in (
            country.name,
            getattr(country, "official_name", ""),
            getattr(country, "common_name", ""),
        )
        if name
    }
    short = [
        (_folded(re.split(r"[,(]", country.name)[0]), country.alpha_2.lower())
        for country in pycountry.countries
    ]
    taken = Counter(name for name, _ in short)
    usual = {_folded(name): code for name, code in _USUAL_NAMES.items()}
    return {**{name: code for name, code in short if taken[name] == 1}, **whole, **usual}


def _folded(name: str) -> str:
    """A name without accents, case, punctuation and `the` in front; `&` is `and`."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", name)
        if not unicodedata.combining(letter)
    )
    words = re.findall(
        r"[a-z0-9]+",
        plain.casefold()
        .replace("&", " and ")
        .replace("'", "")
        .replace("\u2019", "")
        .replace("st.", "saint"),
    )
    return " ".join(words[1:] if words[:1] == ["the"] else words)
