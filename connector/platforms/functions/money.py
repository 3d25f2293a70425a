"""Amounts and quantities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.money import parse_amounts, rounded
from connector.arrow.text import decimal_text
from connector.platforms.functions.registry import Context, Json, Values, function
from connector.platforms.functions.typed import json_numbers


@function("float", normaliser=True, last=True)
def float_number(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Decimal text as a JSON number that every reader takes for a float: `99.99`, `100.0`."""
    numbers = json_numbers(values)
    pointed = pc.binary_join_element_wise(numbers, ".0", "")
    return Json(pc.if_else(pc.match_substring_regex(numbers, "[.eE]"), numbers, pointed))


@function("whole", last=True)
def whole(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Text of a whole number as a JSON number; null where it is none."""
    digits = pc.if_else(pc.match_substring_regex(values, r"^\d{1,9}$"), values, None)
    return digits.cast(pa.int64())


@function("amount", last=True)
def amount(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """A price in a list as a JSON number with its currency's digits; null if it is none."""
    return Json(_price(values, context))


@function("amount_text")
def amount_text(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """As `amount`, as a JSON string."""
    return _price(values, context)


def _price(values: pa.Array, context: Context) -> pa.Array:
    amounts, _, _ = parse_amounts(values)
    return decimal_text(
        rounded(pc.if_else(pc.less(amounts, 0), None, amounts), context.digits, minor=False)
    )


@function("minor_units", last=True)
def minor_units(values: pa.Array, context: Context, _argument: str | None) -> Values:
    """Decimal text of major units as an integer of the currency's smallest unit (ISO 4217).

    9.99 USD is 999, 10 JPY is 10. Null where the row has no currency: its smallest unit is unknown.
    """
    amounts, _, _ = parse_amounts(values)
    factors = (
        pa.array(10 ** context.digits.astype(np.int64))
        .cast(pa.decimal128(19, 0))
        .cast(pa.decimal128(5, 0))
    )
    currency = context.column("currency")
    if currency is not None:
        amounts = pc.if_else(pc.is_valid(currency), amounts, None)
    scaled = pc.multiply(rounded(amounts, context.digits, minor=False), factors)
    return Json(decimal_text(scaled))
