"""Names, addresses, birth dates and genders: lower case, and as little else as each platform asks for."""

from __future__ import annotations

import datetime as dt
import functools
import re
import unicodedata
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from connector.arrow.bytes import is_ascii, longest, lower, trimmed
from connector.arrow.dictionary import at_exceptions, map_distinct, over_distinct, remembered
from connector.identifiers.characters import without_characters

_CONTROL = r"[\p{Cc}\p{Cf}]"
_PUNCTUATION = r"[\p{P}\p{S}]"
_SPACE = r"[\s\p{Z}\x{85}]"
_SPACE_OR_DASH = r"[\s\p{Z}\x{85}-]"
_NEITHER_LETTER_NOR_DIGIT = r"[^\p{L}\p{N}]"


def name_basic(names: pa.Array) -> pa.Array:
    """Trimmed, lower case, NFC, without invisible characters. Source: TikTok, Google Data Manager."""
    return over_distinct(names, lambda each: _lower_without(each, _CONTROL))


def name_nopunct(names: pa.Array) -> pa.Array:
    """As `name_basic` without punctuation; letters of any alphabet stay. Source: Meta customer-information-parameters."""
    return over_distinct(names, lambda each: _lower_without(each, _CONTROL, _PUNCTUATION))


def city_nospace(cities: pa.Array) -> pa.Array:
    """Lower case without punctuation and spaces. Source: Meta, Snapchat and Pinterest."""
    return over_distinct(cities, lambda each: _lower_without(each, _CONTROL, _PUNCTUATION, _SPACE))


def lower_alnum(texts: pa.Array) -> pa.Array:
    """Lower case, letters and digits only. Source: Segment's TikTok connector for city, state and country."""
    return over_distinct(
        texts, lambda each: _lower_without(each, _CONTROL, _NEITHER_LETTER_NOR_DIGIT)
    )


def state_2(states: pa.Array) -> pa.Array:
    """US states as two lower-case letters, others lower case without punctuation and spaces. Source: Meta (ANSI codes)."""
    plain = city_nospace(states)
    names, codes = _us_states()
    return pc.coalesce(pc.take(codes, pc.index_in(plain, value_set=names)), plain)


@functools.cache
def _us_states() -> tuple[pa.Array, pa.Array]:
    states = [
        (state.name, state.code[-2:].lower())
        for state in pycountry.subdivisions
        if state.country_code == "US"
    ]
    return city_nospace(pa.array([name for name, _ in states])), pa.array(
        [code for _, code in states]
    )


def zip_nospace(codes: pa.Array) -> pa.Array:
    """Lower case without spaces and dashes. Source: Snapchat, Amazon."""
    return over_distinct(codes, lambda each: _lower_without(each, _SPACE_OR_DASH))


def zip_meta(codes: pa.Array, countries: pa.Array | None) -> pa.Array:
    """Lower case without spaces and dashes; five digits in the US, area, district and sector in the UK.

    countries: what the country column holds, shape (n,); ZIP+4 is recognised without it. Source: Meta.
    """
    short = zip_nospace(codes)
    if longest(codes) >= len("94105-1234"):
        short = pc.if_else(
            pc.match_substring_regex(codes, rf"^\d{{5}}{_SPACE_OR_DASH}\d{{4}}$"),
            pc.utf8_slice_codeunits(short, 0, 5),
            short,
        )
    if countries is None:
        return short
    alpha2 = country_alpha2(countries)
    short = at_exceptions(short, pc.equal(alpha2, "gb"), _outward_and_sector)
    return (
        at_exceptions(short, pc.equal(alpha2, "us"), _five_of_nine)
        if longest(short) >= 9
        else short
    )


def _outward_and_sector(codes: pa.Array) -> pa.Array:
    return pc.if_else(
        pc.match_substring_regex(codes, r"^[a-z]{1,2}\d[a-z\d]?\d[a-z]{2}$"),
        pc.utf8_slice_codeunits(codes, 0, -2),
        codes,
    )


def _five_of_nine(codes: pa.Array) -> pa.Array:
    return pc.if_else(
        pc.match_substring_regex(codes, r"^\d{9}$"), pc.utf8_slice_codeunits(codes, 0, 5), codes
    )


def zip_digits(codes: pa.Array) -> pa.Array:
    """Digits only. Source: Pinterest's OpenAPI description."""
    return at_exceptions(
        codes, pc.invert(pc.ascii_is_decimal(codes)), lambda rest: _cleaned(rest, r"[^0-9]")
    )


def country_alpha2(countries: pa.Array) -> pa.Array:
    """ISO 3166 alpha-2 in lower case, from alpha-2, alpha-3 or the English name; null for anything else."""
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
    """Folded English name -> alpha-2: ISO's names whole, and up to a comma or bracket where no other country begins so."""
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
    """A country's name without accents, case, punctuation, `the` in front, and the difference of `and` and `&`."""
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


def dob_yyyymmdd(dates: pa.Array) -> pa.Array:
    """A birth date as `YYYYMMDD`; null where it is no date or a placeholder. Source: Meta (`db`), Pinterest."""
    return map_distinct(dates, _birth_date)


def dob_iso(dates: pa.Array) -> pa.Array:
    """A birth date as `YYYY-MM-DD`. Source: Quora."""
    return pc.replace_substring_regex(dob_yyyymmdd(dates), r"^(....)(..)(..)$", r"\1-\2-\3")


_BIRTH_DATES = [
    re.compile(
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?",
        re.ASCII,
    ),
    re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})", re.ASCII),
]


@remembered(65_536, longest=32)
def _birth_date(text: str) -> str | None:
    """ISO dates, `YYYYMMDD`, and month/day/year, which is the only other order the platforms document."""
    match = next((found for pattern in _BIRTH_DATES if (found := pattern.fullmatch(text))), None)
    if match is None:
        return None
    try:
        born = dt.date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    return f"{born:%Y%m%d}" if dt.date(1900, 1, 1) < born < dt.datetime.now(dt.UTC).date() else None


def gender_f_m(genders: pa.Array) -> pa.Array:
    """`f` or `m`; null for anything else. Source: Meta (`ge`), Snapchat."""
    first = pc.utf8_lower(genders)
    known = pc.is_in(first, value_set=pa.array(["f", "m", "female", "male", "woman", "man"]))
    letter = pc.replace_substring_regex(first, r"^(f|w).*$", "f")
    return pc.utf8_slice_codeunits(pc.if_else(known, letter, None), 0, 1)


def _lower_without(texts: pa.Array, *removed: str) -> pa.Array:
    """Lower case without the characters that match `removed`, trimmed and composed (NFC); null where nothing is left.

    removed: classes in which no letter and no digit of ASCII is, so that texts of these alone need no look.
    """
    small = lower(texts)
    return at_exceptions(
        small, pc.invert(pc.ascii_is_alnum(small)), lambda rest: _cleaned(rest, *removed)
    )


def _cleaned(texts: pa.Array, *removed: str) -> pa.Array:
    for characters in removed:
        texts = trimmed(without_characters(texts, characters))
        texts = texts if is_ascii(texts) else pc.utf8_normalize(texts, form="NFC")
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), None, texts)
