"""Phone numbers, parsed by libphonenumber. One that it cannot place is left out, not guessed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_exceptions, remembered
from connector.arrow.masks import present
from connector.identifiers.country import country_alpha2_upper
from connector.identifiers.e164 import plain_e164

_FLOAT = re.compile(r"(\d{7,15})\.0\Z")
_LETTER_RUN = re.compile(r"\d[eE][+-]?\d")

_MEXICO = 52
_FORMER_MEXICAN_PREFIX = re.compile(r"(?:1|01|02|044|045)(\d{10})\Z")
"""What stood before ten digits until 3 August 2019; `+52 1` is still written. Source: IFT; earlier
metadata of libphonenumber."""


def phone_e164(phones: pa.Array, region: str | None, countries: pa.Array | None = None) -> pa.Array:
    """E.164 with a leading '+', or null where libphonenumber finds no valid number.

    A number without a country code belongs to the row's country, and to `region` only where the row
    has none. Source: ITU-T E.164; TikTok, Google, Reddit, Microsoft and X ask for this form.

    Args:
        phones: Strings as the warehouse gave them, shape (n,).
        region: ISO 3166 alpha-2 for numbers of rows without a country.
        countries: What the country column holds, shape (n,).
    """
    if countries is None or countries.null_count == len(countries):
        return _in_region(phones, region)
    found = plain_e164(phones, None)
    rest = np.flatnonzero(present(phones) & ~present(found))
    theirs = _regions(countries.take(pa.array(rest)), region).to_numpy(zero_copy_only=False)
    for each in dict.fromkeys(theirs.tolist()):
        rows = rest[theirs == each]
        read = _in_region(phones.take(pa.array(rows)), each or None)
        chosen = np.zeros(len(phones), bool)
        chosen[rows] = True
        found = pc.replace_with_mask(found, pa.array(chosen), read)
    return found


def phone_digits(
    phones: pa.Array, region: str | None, countries: pa.Array | None = None
) -> pa.Array:
    """As `phone_e164` without the '+'. Source: Meta, Snapchat, Pinterest and the base platform."""
    return pc.utf8_ltrim(phone_e164(phones, region, countries), characters="+")


def read_by(phones: pa.Array, region: str | None, countries: pa.Array | None) -> pa.Array:
    """Where the country of each number came from: `country_code`, `country` or `default_region`.

    Null where there is no valid number. Arguments as of `phone_e164`.
    """
    valid = pc.is_valid(phone_e164(phones, region, countries))
    own = pc.is_valid(phone_e164(phones, None))
    by_row = pc.is_valid(countries) if countries is not None else pa.scalar(False)
    by = pc.if_else(own, "country_code", pc.if_else(by_row, "country", "default_region"))
    return pc.if_else(valid, by, None)


def _regions(countries: pa.Array, region: str | None) -> pa.Array:
    """The region of each row's national numbers; empty where it is not known.

    The default does not stand in for a country that is not understood: the number would be a
    stranger's.
    """
    codes = pc.fill_null(country_alpha2_upper(countries), "")
    return pc.if_else(pc.is_valid(countries), codes, region or "")


def _in_region(phones: pa.Array, region: str | None) -> pa.Array:
    fast = plain_e164(phones, region)
    return map_exceptions(
        phones,
        fast,
        pc.and_(pc.is_null(fast), pc.is_valid(phones)),
        lambda phone: _read_number(phone, region),
    )


@remembered(16_384, longest=64)
def _read_number(phone: str, region: str | None) -> str | None:
    whole = _FLOAT.match(phone)
    text = whole.group(1) if whole else phone
    if _LETTER_RUN.search(text):
        return None
    if text.startswith("00"):
        return _parsed(text, region) or _parsed("+" + text[2:], region)
    return _with_own_code(text, region) or _parsed(text, region)


def _with_own_code(text: str, region: str | None) -> str | None:
    """A number that begins with its region's calling code, without a plus: `4915112345678` in DE.

    libphonenumber takes such digits for a national number where one of that length may exist. But
    in a country with a trunk prefix people write it in front of national numbers.
    """
    import phonenumbers  # late, for start-up speed

    code = phonenumbers.country_code_for_region(region) if region is not None else 0
    if region is None or not code or not text.startswith(str(code)):
        return None
    trunk = phonenumbers.ndd_prefix_for_region(region, True)
    return _parsed("+" + text, None) if trunk or _parsed(text, region) is None else None


def _parsed(text: str, region: str | None) -> str | None:
    import phonenumbers  # late, for start-up speed

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return _parsed_mexican(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parsed_mexican(number: Any) -> str | None:
    """A Mexican number without the prefix that fell away."""
    import phonenumbers  # late, for start-up speed

    if number.country_code != _MEXICO:
        return None
    former = _FORMER_MEXICAN_PREFIX.match(phonenumbers.national_significant_number(number))
    return _parsed(f"+{_MEXICO}{former[1]}", None) if former else None
