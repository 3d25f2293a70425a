"""Make the table of country names: CLDR (babel) and ISO 3166 (pycountry), folded, name -> alpha-2.

A name counts where it means one country only. Where languages disagree, the English name wins, then
the name in a language of the country itself; otherwise the name is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import orjson
import pycountry
from babel import localedata
from babel.core import get_global

from connector.identifiers.country import folded

SHARE = 20
"""Percent of a country that must speak an official language for its names to count."""

ADDED = {
    **dict.fromkeys(["Great Britain", "Britain", "Cymru"], "GB"),
    **dict.fromkeys(["Korea", "Republic of Korea"], "KR"),
    **dict.fromkeys(["America", "United States of America"], "US"),
    **dict.fromkeys(["UAE", "Emirates"], "AE"),
    **dict.fromkeys(["DR Congo", "Democratic Republic of the Congo"], "CD"),
    **dict.fromkeys(["Czech Republic", "Czech Rep."], "CZ"),
    "UK": "GB",
    "US": "US",
    **dict.fromkeys(["Republic of Ireland", "Ireland, Republic of"], "IE"),
    **dict.fromkeys(["EE. UU.", "EEUU"], "US"),
    "Macedonia": "MK",
    "East Timor": "TL",
    "Cape Verde": "CV",
    "Swaziland": "SZ",
    "Vatican": "VA",
    "XK": "XK",
    "XKX": "XK",
}
"""Names in daily use that neither has, and Kosovo's code, which ISO 3166 leaves to users."""

CODES = {country.alpha_2 for country in pycountry.countries} | {"XK"}

Name = tuple[str, str]
"""A name and an alpha-2 code."""


def _languages() -> list[str]:
    """Languages that are official somewhere and spoken there by a fair share of the people."""
    spoken = {
        code.split("_")[0]
        for languages in get_global("territory_languages").values()
        for code, facts in languages.items()
        if _is_official(facts)
    }
    return sorted(code for code in spoken if localedata.exists(code))


def _is_official(facts: dict[str, object]) -> bool:
    share = facts["population_percent"]
    return (
        facts["official_status"] in ("official", "de_facto_official")
        and isinstance(share, float)
        and share >= SHARE
    )


def _own_languages() -> dict[str, set[str]]:
    """Alpha-2 -> languages that are official there."""
    return {
        country: {code.split("_")[0] for code, facts in languages.items() if _is_official(facts)}
        for country, languages in get_global("territory_languages").items()
    }


def _cldr(language: str) -> Iterator[Name]:
    territories = localedata.load(language, merge_inherited=False).get("territories", {})
    return ((name, code) for code, name in territories.items() if code in CODES)


def _iso() -> Iterator[Name]:
    """Names of ISO 3166, and of the parts of the United Kingdom."""
    for country in pycountry.countries:
        for key in ("name", "official_name", "common_name"):
            name = getattr(country, key, None)
            if name:
                yield name, country.alpha_2
    for part in pycountry.subdivisions.get(country_code="GB"):
        if part.code in ("GB-ENG", "GB-SCT", "GB-WLS", "GB-NIR"):
            yield part.name.split("[")[0], "GB"


def _parts(names: Iterable[Name]) -> Iterator[Name]:
    """What stands before a comma, and before and inside brackets: `Myanmar (Burma)`."""
    for name, code in names:
        outside, _, inside = name.partition("(")
        for part in (outside.split(",")[0], inside):
            if part != name:
                yield part, code


def _unique(names: Iterable[Name]) -> dict[str, str]:
    """Folded name -> code, for names that mean one country only."""
    meanings = defaultdict(set)
    for name, code in names:
        meanings[folded(name)].add(code)
    return {name: min(codes) for name, codes in meanings.items() if len(codes) == 1 and name}


def country_names() -> str:
    """The table as JSON: folded name -> lower-case alpha-2, one a line."""
    own = _own_languages()
    in_languages = {language: list(_cldr(language)) for language in _languages()}
    everywhere = [name for names in in_languages.values() for name in names]
    at_home = [
        (name, code)
        for language, names in in_languages.items()
        for name, code in names
        if language in own.get(code, ())
    ]
    english = [*_iso(), *in_languages["en"]]
    sources = (_parts(everywhere), everywhere, at_home, _parts(english), english, ADDED.items())
    table: dict[str, str] = {}
    for source in sources:
        table |= _unique(source)
    lines = (
        f"{orjson.dumps(name).decode()}:{orjson.dumps(code.lower()).decode()}"
        for name, code in sorted(table.items())
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
