"""Amounts of money: exact decimals, rounded as their currency is counted (ISO 4217)."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import Mask, mask, present
from connector.arrow.text import decimal_text

MONEY = pa.decimal128(22, 9)
"""Wide enough for 13 digits before the point, and for division by 10,000."""

MAX_VALUE = 1_000_000_000


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers."""
    return pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)


def parse_amounts(text: pa.Array) -> tuple[pa.Array, Mask, Mask]:
    """Parse plain decimal text, each of shape (n,).

    Returns:
        Amounts, null where there is none; rows whose text is not a plain decimal number; rows that
        hold a number of more than 12 digits, or one in exponent notation.
    """
    extreme = mask(
        pc.match_substring_regex(text, r"^[+-]?(\d{13,}(\.\d*)?|\d+(\.\d+)?[eE][+-]?\d+)$")
    )
    plain = pc.match_substring_regex(text, r"^[+-]?\d{1,12}(\.\d*)?$")
    # Digits after the ninth matter only just above a half: then the ninth becomes 1.
    kept = pc.replace_substring_regex(
        pc.if_else(plain, text, None), r"(\.\d{8})0\d*[1-9]\d*$", r"\11"
    )
    digits = pc.replace_substring_regex(kept, r"^\+?(-?\d+)\.?(\d{0,9})\d*$", r"\1.\2")
    return digits.cast(MONEY), present(text) & ~mask(plain) & ~extreme, extreme


def rounded(amounts: pa.Array, digits: np.ndarray, *, minor: bool) -> pa.Array:
    """Round amounts to the digits of their currency, half to even.

    Args:
        amounts: Decimals, shape (n,).
        digits: Decimal digits of each row's currency, shape (n,).
        minor: The amounts are in the currency's smallest unit; they are divided into major units.
    """
    for count in np.unique(digits).tolist():
        chosen = pa.array(digits == count)
        whole = pc.round(amounts, ndigits=0 if minor else count, round_mode="half_to_even")
        major = pc.divide(whole, pa.scalar(10**count, pa.decimal128(5, 0))) if minor else whole
        amounts = pc.if_else(chosen, major.cast(MONEY, safe=False), amounts)
    return amounts


def is_exact(kind: pa.DataType) -> bool:
    """Whether every value of a column of this type fits `MONEY` without rounding."""
    return (
        pa.types.is_decimal(kind)
        and 0 <= kind.scale <= MONEY.scale
        and kind.precision - kind.scale <= 12
    )


def amount_text(column: pa.Array) -> pa.Array:
    """A column for which `is_numeric` holds, as text that `parse_amounts` reads."""
    return decimal_text(column) if pa.types.is_decimal(column.type) else column.cast(pa.string())


def is_currency(code: str) -> bool:
    """Whether ISO 4217 lists a code as money in use."""
    return bool(pc.is_in(pa.scalar(code), value_set=currency_digits().field("code")).as_py())


@functools.cache
def currency_digits() -> pa.StructArray:
    """`code` and `digits` of ISO 4217 currencies in use; no metals, no test codes."""
    from iso4217 import Currency  # late: it reads its table when it is imported

    listed = sorted(
        (currency.code, currency.exponent) for currency in Currency if currency.exponent is not None
    )
    return pa.StructArray.from_arrays(
        [
            pa.array([code for code, _ in listed]),
            pa.array([digits for _, digits in listed], pa.int8()),
        ],
        ["code", "digits"],
    )
