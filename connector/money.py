"""Amounts of money: exact decimals, rounded as their currency is counted (ISO 4217)."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from iso4217 import Currency

from connector.frames import Mask, mask, present

MONEY = pa.decimal128(22, 9)
"""Wide enough for 13 digits before the point, and for division by 10,000."""

MAX_VALUE = 1_000_000_000


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this type holds amounts as they are."""
    return pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)


def parse_amounts(text: pa.Array) -> tuple[pa.Array, Mask, Mask]:
    """Plain decimal text as amounts, shape (n,); rows that are no such text; rows that are a number beyond all reason."""
    extreme = mask(pc.match_substring_regex(text, r"^[+-]?(\d{13,}(\.\d*)?|\d+(\.\d+)?[eE][+-]?\d+)$"))
    plain = pc.match_substring_regex(text, r"^[+-]?\d{1,12}(\.\d*)?$")
    digits = pc.replace_substring_regex(pc.if_else(plain, text, None), r"^\+?(-?\d+)\.?(\d{0,9})\d*$", r"\1.\2")
    return digits.cast(MONEY), present(text) & ~mask(plain) & ~extreme, extreme


def rounded(amounts: pa.Array, digits: np.ndarray, *, minor: bool) -> pa.Array:
    """Amounts with the digits of their currency, half to even. minor: they are given in the currency's smallest unit.

    amounts: decimals, shape (n,). digits: decimal digits of each row's currency, shape (n,).
    """
    for count in np.unique(digits).tolist():
        chosen = pa.array(digits == count)
        scaled = pc.divide(amounts, pa.scalar(10**count, pa.decimal128(5, 0))).cast(MONEY, safe=False) if minor else amounts
        amounts = pc.if_else(chosen, pc.round(scaled, ndigits=count, round_mode="half_to_even").cast(MONEY), amounts)
    return amounts


def decimal_text(amounts: pa.Array) -> pa.Array:
    """Decimals as plain text without trailing zeros: `99.99`, `100`, `0.5`."""
    text = pc.replace_substring_regex(amounts.cast(pa.string()), r"(\.\d*?)0+$", r"\1")
    return pc.replace_substring_regex(text, r"\.$", "")


@functools.cache
def currency_digits() -> pa.StructArray:
    """ISO 4217 codes of money in use (no metals, no test codes) and their decimal digits."""
    listed = sorted((currency.code, currency.exponent) for currency in Currency if currency.exponent is not None)
    return pa.StructArray.from_arrays([pa.array([code for code, _ in listed]), pa.array([digits for _, digits in listed], pa.int8())], ["code", "digits"])
