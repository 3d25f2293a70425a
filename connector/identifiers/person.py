"""Names, addresses, birth dates and genders: lower case, and as little else as each platform asks for."""

from __future__ import annotations

import datetime as dt
import functools

import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from connector.identifiers.distinct import map_distinct

_CONTROL = r"[\p{Cc}\p{Cf}]"
_PUNCTUATION = r"[\p{P}\p{S}]"


def name_basic(names: pa.Array) -> pa.Array:
    """Trimmed, lower case, NFC, without invisible characters. Source: TikTok, Google Data Manager."""
    composed = pc.utf8_normalize(names, form="NFC")
    return _non_empty(pc.utf8_trim_whitespace(pc.utf8_lower(pc.replace_substring_regex(composed, _CONTROL, ""))))


def name_nopunct(names: pa.Array) -> pa.Array:
    """As `name_basic` without punctuation; letters of any alphabet stay. Source: Meta customer-information-parameters."""
    return _non_empty(pc.utf8_trim_whitespace(pc.replace_substring_regex(name_basic(names), _PUNCTUATION, "")))


def city_nospace(cities: pa.Array) -> pa.Array:
    """Lower case without punctuation and spaces. Source: Meta, Snapchat and Pinterest."""
    return _non_empty(pc.replace_substring_regex(name_nopunct(cities), r"\s", ""))


def lower_alnum(texts: pa.Array) -> pa.Array:
    """Lower case, letters and digits only. Source: Segment's TikTok connector for city, state and country."""
    return _non_empty(pc.replace_substring_regex(name_basic(texts), r"[^\p{L}\p{N}]", ""))


def state_2(states: pa.Array) -> pa.Array:
    """US states as two lower-case letters, others lower case without punctuation and spaces. Source: Meta (ANSI codes)."""
    plain = city_nospace(states)
    names, codes = _us_states()
    return pc.coalesce(pc.take(codes, pc.index_in(plain, value_set=names)), plain)


@functools.cache
def _us_states() -> tuple[pa.Array, pa.Array]:
    states = [(state.name, state.code[-2:].lower()) for state in pycountry.subdivisions if state.country_code == "US"]
    return city_nospace(pa.array([name for name, _ in states])), pa.array([code for _, code in states])


def zip_nospace(codes: pa.Array) -> pa.Array:
    """Lower case without spaces and dashes. Source: Snapchat, Amazon."""
    return _non_empty(pc.replace_substring_regex(pc.utf8_lower(codes), r"[\s-]", ""))


def zip_meta(codes: pa.Array, countries: pa.Array | None) -> pa.Array:
    """Lower case without spaces and dashes; five digits in the US, area, district and sector in the UK.

    countries: what the country column holds, shape (n,); ZIP+4 is recognised without it. Source: Meta.
    """
    plain = zip_nospace(codes)
    short = pc.if_else(pc.match_substring_regex(codes, r"^\s*\d{5}[\s-]\d{4}\s*$"), pc.utf8_slice_codeunits(plain, 0, 5), plain)
    if countries is None:
        return short
    british = pc.and_(pc.equal(country_alpha2(countries), "gb"), pc.match_substring_regex(plain, r"^[a-z]{1,2}\d[a-z\d]?\d[a-z]{2}$"))
    american = pc.and_(pc.equal(country_alpha2(countries), "us"), pc.match_substring_regex(plain, r"^\d{9}$"))
    short = pc.if_else(pc.fill_null(american, False), pc.utf8_slice_codeunits(plain, 0, 5), short)
    return pc.if_else(pc.fill_null(british, False), pc.utf8_slice_codeunits(plain, 0, -2), short)


def zip_digits(codes: pa.Array) -> pa.Array:
    """Digits only. Source: Pinterest's OpenAPI description."""
    return _non_empty(pc.replace_substring_regex(codes, r"[^0-9]", ""))


def country_alpha2(countries: pa.Array) -> pa.Array:
    """ISO 3166 alpha-2 in lower case, from alpha-2, alpha-3 or the English name; null for anything else."""
    return map_distinct(countries, _country)


def country_alpha2_upper(countries: pa.Array) -> pa.Array:
    """As `country_alpha2`, in upper case. Source: Google Data Manager (`regionCode`)."""
    return pc.utf8_upper(country_alpha2(countries))


@functools.lru_cache(maxsize=4096)
def _country(text: str) -> str | None:
    name = {"uk": "gb", "england": "gb", "scotland": "gb", "wales": "gb"}.get(text.lower(), text)
    try:
        return str(pycountry.countries.lookup(name).alpha_2).lower()
    except LookupError:
        return None


def dob_yyyymmdd(dates: pa.Array) -> pa.Array:
    """A birth date as `YYYYMMDD`; null where it is no date or a placeholder. Source: Meta (`db`), Pinterest."""
    return map_distinct(dates, _birth_date)


def dob_iso(dates: pa.Array) -> pa.Array:
    """A birth date as `YYYY-MM-DD`. Source: Quora."""
    return pc.replace_substring_regex(dob_yyyymmdd(dates), r"^(....)(..)(..)$", r"\1-\2-\3")


@functools.lru_cache(maxsize=65_536)
def _birth_date(text: str) -> str | None:
    """ISO dates, `YYYYMMDD`, and month/day/year, which is the only other order the platforms document."""
    for form in ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y"):
        try:
            born = dt.datetime.strptime(text[:10], form).date()
        except ValueError:
            continue
        plausible = dt.date(1900, 1, 1) < born < dt.datetime.now(dt.UTC).date()
        return f"{born:%Y%m%d}" if plausible else None
    return None


def gender_f_m(genders: pa.Array) -> pa.Array:
    """`f` or `m`; null for anything else. Source: Meta (`ge`), Snapchat."""
    first = pc.utf8_lower(genders)
    known = pc.is_in(first, value_set=pa.array(["f", "m", "female", "male", "woman", "man"]))
    letter = pc.replace_substring_regex(first, r"^(f|w).*$", "f")
    return pc.utf8_slice_codeunits(pc.if_else(known, letter, None), 0, 1)


def _non_empty(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.utf8_length(texts), 0), None, texts)
