"""A fast path for phone numbers: whole columns against libphonenumber's own patterns.

libphonenumber parses some 20,000 numbers a second. Most numbers are plain digits of a fixed line or
mobile. Those are matched here with the same patterns, and only where none of its rules could change
a digit. Everything else is left to libphonenumber.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import first_bytes, offsets, value_bytes
from connector.arrow.masks import mask, present

_SEPARATOR = np.isin(np.arange(256), list(b" ().-"))
_DIGIT = np.isin(np.arange(256), list(b"0123456789"))
_WAS_A_FLOAT = ".0"


class _Country(NamedTuple):
    """The main country of a calling code.

    Attributes:
        general: Pattern and lengths of all its numbers.
        lines: Pattern and lengths of fixed lines and mobiles.
        rewritten: Pattern of national numbers whose prefix libphonenumber would cut off or change.
    """

    code: str
    general: tuple[str, Sequence[int]]
    lines: tuple[tuple[str, Sequence[int]], ...]
    rewritten: str | None


def plain_e164(phones: pa.Array, region: str | None) -> pa.Array:
    """E.164 of the numbers that are certainly valid; null for all others, valid or not.

    Args:
        phones: Strings, shape (n,).
        region: ISO 3166 alpha-2 for numbers without a country code.
    """
    usual = _is_usual(phones)
    home = _home(region)
    national = first_bytes(phones) != ord("+")
    compact = _without_separators(phones, usual if home is not None else usual & ~national)
    if home is not None and national.any():
        compact = pc.binary_join_element_wise(
            pc.if_else(pa.array(national), f"+{home.code}", ""), compact, ""
        )
        doubtful = pc.starts_with(compact, f"+{home.code}{home.code}")  # see phone._with_own_code
        compact = pc.if_else(pc.and_(doubtful, pa.array(national)), None, compact)
    valid = np.zeros(len(phones), bool)
    for code, rows in _by_calling_code(compact):
        country = _main_country(code)
        if country is not None:
            valid[rows] = _is_valid(
                pc.utf8_slice_codeunits(compact.take(pa.array(rows)), 1 + len(code)), country
            )
    return pc.if_else(pa.array(valid), compact, None)


def _is_usual(phones: pa.Array) -> np.ndarray:
    """Whether a text is digits and separators, perhaps after a plus, and was never a float."""
    content, begins = value_bytes(phones), offsets(phones) - offsets(phones)[0]
    plus = first_bytes(phones) == ord("+")
    strays = np.concatenate([[0], np.cumsum(~(_DIGIT | _SEPARATOR)[content])])
    lengths = np.diff(begins) - plus
    return (
        present(phones)
        & (np.diff(strays[begins]) == plus)
        & (lengths >= 5)
        & (lengths <= 40)
        & ~mask(pc.ends_with(phones, _WAS_A_FLOAT))
    )


def _without_separators(phones: pa.Array, chosen: np.ndarray) -> pa.Array:
    """Digits and plus of the chosen texts; null elsewhere."""
    content, begins = value_bytes(phones), offsets(phones) - offsets(phones)[0]
    separators = _SEPARATOR[content]
    before = np.concatenate([[0], np.cumsum(separators)])
    ends = (begins - before[begins]).astype(np.int32)
    bits = np.packbits(chosen, bitorder="little")
    return pa.StringArray.from_buffers(
        len(phones), pa.py_buffer(ends), pa.py_buffer(content[~separators]), pa.py_buffer(bits)
    )


def _by_calling_code(numbers: pa.Array) -> list[tuple[str, np.ndarray]]:
    """Calling code -> rows of its numbers.

    Args:
        numbers: With a plus, shape (n,).
    """
    starts = pc.utf8_slice_codeunits(numbers, 1, 4).dictionary_encode()
    codes = [_calling_code(start) for start in starts.dictionary.to_pylist()]
    rank = {code: place for place, code in enumerate(sorted({*codes} - {""}))}
    ranks = np.array([*(rank.get(code, -1) for code in codes), -1])[
        pc.fill_null(starts.indices, len(codes)).to_numpy()
    ]
    return [(code, np.flatnonzero(ranks == place)) for code, place in rank.items()]


def _calling_code(digits: str) -> str:
    """The calling code at the start; no code is a prefix of another."""
    return next(
        (digits[:length] for length in (1, 2, 3) if digits[:length] in _calling_codes()), ""
    )


@functools.cache
def _calling_codes() -> frozenset[str]:
    import phonenumbers  # late, for start-up speed

    return frozenset(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


@functools.cache
def _home(region: str | None) -> _Country | None:
    """The country of numbers without a code, where it is the main one of its code."""
    import phonenumbers  # late, for start-up speed

    code = phonenumbers.country_code_for_region(region or "")
    return (
        _main_country(str(code))
        if code and phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code][0] == region
        else None
    )


@functools.cache
def _main_country(code: str) -> _Country | None:
    """The country that libphonenumber tries first for a calling code.

    None where several countries share the code and leading digits decide between them.
    """
    import phonenumbers  # late, for start-up speed

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    known: Any = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
    if known is None or (len(regions) > 1 and known.leading_digits):
        return None
    kinds = {
        (kind.national_number_pattern, tuple(kind.possible_length))
        for kind in (known.fixed_line, known.mobile)
        if kind.national_number_pattern
    }
    changed = [known.national_prefix_for_parsing, known.international_prefix]
    if any(pattern and re.match(pattern, "") for pattern in changed):
        return None
    rewritten = "|".join(f"(?:{pattern})" for pattern in changed if pattern)
    lines = tuple((f"^(?:{pattern})$", lengths) for pattern, lengths in sorted(kinds))
    general = (
        f"^(?:{known.general_desc.national_number_pattern})$",
        tuple(known.general_desc.possible_length),
    )
    return _Country(code, general, lines, f"^(?:{rewritten})" if rewritten else None)


def _is_valid(national: pa.Array, country: _Country) -> np.ndarray:
    """Whether national numbers are fixed lines or mobiles of a country and stay as they are."""
    lengths = pc.utf8_length(national).to_numpy(zero_copy_only=False)
    line = np.zeros(len(national), bool)
    for pattern, possible in country.lines:
        line |= _matches(national, lengths, pattern, possible or country.general[1])
    valid = line & _matches(national, lengths, *country.general)
    return (
        valid
        if country.rewritten is None
        else valid & ~mask(pc.match_substring_regex(national, country.rewritten))
    )


def _matches(
    national: pa.Array, lengths: np.ndarray, pattern: str, possible: Sequence[int]
) -> np.ndarray:
    return mask(pc.match_substring_regex(national, pattern)) & np.isin(lengths, possible)
