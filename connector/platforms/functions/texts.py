"""Texts: case, prefixes, and names that must have a form."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import lower as lower_case
from connector.arrow.bytes import upper as upper_case
from connector.platforms.functions.registry import Context, Values, function


@function("upper")
def upper(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Upper case of any script."""
    return upper_case(values)


@function("lower")
def lower(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Lower case of any script."""
    return lower_case(values)


@function("prefix")
def prefix(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument in front of every value."""
    return pc.binary_join_element_wise(argument or "", values, "")


@function("constant")
def constant(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """The argument, where there is a value."""
    return pc.if_else(pc.is_valid(values), argument or "", None)


@function("digits")
def digits(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """The value where it consists of digits; null elsewhere."""
    return pc.if_else(pc.match_substring_regex(values, r"^\d+$"), values, None)


@function("custom_name")
def custom_name(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A name in `[a-z0-9_-]` that begins and ends with a letter or digit, at most 64 characters.

    Null where nothing is left. Source: OpenAI (`custom_event_name`).
    """
    plain = pc.replace_substring_regex(lower_case(values), r"[^a-z0-9_-]+", "_")
    cut = pc.utf8_slice_codeunits(pc.utf8_trim(plain, "_-"), 0, 64)
    named = pc.utf8_trim(cut, "_-")
    return pc.if_else(pc.equal(named, ""), None, named)


@function("language", normaliser=True)
def language(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """The language of a locale in two lower-case letters, `en` of `en_US`; null elsewhere."""
    small = lower_case(values)
    known = pc.match_substring_regex(small, r"^[a-z]{2}([_.-].*)?$")
    return pc.if_else(known, pc.utf8_slice_codeunits(small, 0, 2), None)


@function("at_most", normaliser=True, argument="number")
def at_most(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """The value where it has no more characters than the argument says; null elsewhere."""
    longest = int(argument or "0")
    return pc.if_else(pc.less_equal(pc.utf8_length(values), longest), values, None)
