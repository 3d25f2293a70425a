"""Cities, states and postal codes."""

from __future__ import annotations

import functools

import pyarrow as pa
import pyarrow.compute as pc
import pycountry

from connector.arrow.bytes import longest_bytes
from connector.arrow.dictionary import at_exceptions, over_distinct
from connector.identifiers.characters import (
    CONTROL,
    NOT_ALPHANUMERIC,
    PUNCTUATION,
    SPACE,
    SPACE_OR_DASH,
    lower_without,
    without_classes,
)
from connector.identifiers.country import country_alpha2


def city_nospace(cities: pa.Array) -> pa.Array:
    """Lower case without punctuation and spaces. Source: Meta, Snapchat and Pinterest."""
    return over_distinct(
        cities, lambda each: lower_without(each, CONTROL, PUNCTUATION, SPACE, lettered=True)
    )


def lower_alnum(texts: pa.Array) -> pa.Array:
    """Lower-case letters and digits. Source: Segment's TikTok connector (city, state)."""
    return over_distinct(texts, lambda each: lower_without(each, CONTROL, NOT_ALPHANUMERIC))


def state_2(states: pa.Array) -> pa.Array:
    """US states as two lower-case letters, others as `city_nospace`. Source: Meta (ANSI codes)."""
    plain = city_nospace(states)
    names, codes = _us_states()
    return pc.coalesce(pc.take(codes, pc.index_in(plain, value_set=names)), plain)


def state_code(states: pa.Array) -> pa.Array:
    """Two lower-case letters, also of a US state by its name; null where there is no such code."""
    codes = state_2(states)
    return pc.if_else(pc.match_substring_regex(codes, r"^[a-z]{2}$"), codes, None)


@functools.cache
def _us_states() -> tuple[pa.Array, pa.Array]:
    """Names in their normal form, and the codes of the same states."""
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
    return over_distinct(codes, lambda each: lower_without(each, SPACE_OR_DASH))


def zip_meta(codes: pa.Array, countries: pa.Array | None) -> pa.Array:
    """As `zip_nospace`; five digits in the US, area, district and sector in the UK. Source: Meta.

    Args:
        codes: Postal codes, shape (n,).
        countries: What the country column holds, shape (n,). ZIP+4 is recognised without it.
    """
    short = zip_nospace(codes)
    if longest_bytes(codes) >= len("94105-1234"):
        short = pc.if_else(
            pc.match_substring_regex(codes, rf"^\d{{5}}{SPACE_OR_DASH}\d{{4}}$"),
            pc.utf8_slice_codeunits(short, 0, 5),
            short,
        )
    if countries is None:
        return short
    alpha2 = country_alpha2(countries)
    short = at_exceptions(short, pc.equal(alpha2, "gb"), _outward_and_sector)
    return (
        at_exceptions(short, pc.equal(alpha2, "us"), _five_of_nine)
        if longest_bytes(short) >= 9
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
    """Digits only; null for a code with letters, of which the digits alone say nothing.

    Source: Pinterest's OpenAPI description.
    """
    plain = pc.if_else(pc.match_substring_regex(codes, r"\pL"), None, codes)
    return at_exceptions(
        plain, pc.invert(pc.ascii_is_decimal(plain)), lambda rest: without_classes(rest, r"[^0-9]")
    )
