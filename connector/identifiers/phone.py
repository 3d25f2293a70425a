"""Phone numbers, parsed by libphonenumber. One that it cannot place is left out, not guessed."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_exceptions, remembered
from connector.identifiers.e164 import plain_e164

_FLOAT = re.compile(r"(\d{7,15})\.0\Z")
_LETTER_RUN = re.compile(r"\d[eE][+-]?\d")


def phone_e164(phones: pa.Array, region: str | None) -> pa.Array:
    """E.164 with a leading '+', or null where libphonenumber finds no valid number.

    Source: ITU-T E.164; TikTok, Google, Reddit, Microsoft and X ask for this form.

    Args:
        phones: Strings as the warehouse gave them, shape (n,).
        region: ISO 3166 alpha-2 for numbers without a country code.
    """
    fast = plain_e164(phones, region)
    return map_exceptions(
        phones,
        fast,
        pc.and_(pc.is_null(fast), pc.is_valid(phones)),
        lambda phone: _read_number(phone, region),
    )


def phone_digits(phones: pa.Array, region: str | None) -> pa.Array:
    """E.164 without the '+'. Source: Meta, Snapchat, Pinterest and the base platform."""
    return pc.utf8_ltrim(phone_e164(phones, region), characters="+")


@remembered(16_384, longest=64)
def _read_number(phone: str, region: str | None) -> str | None:
    whole = _FLOAT.match(phone)
    text = whole.group(1) if whole else phone
    if _LETTER_RUN.search(text):
        return None
    return _parsed(text, region) or (
        _parsed("+" + text[2:], region) if text.startswith("00") else None
    )


def _parsed(text: str, region: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
