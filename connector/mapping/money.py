"""`value` and `currency`: exact amounts in major units, and ISO 4217 codes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import upper
from connector.arrow.masks import mask, present
from connector.arrow.money import (
    MAX_VALUE,
    MONEY,
    amount_text,
    currency_digits,
    is_exact,
    is_numeric,
    parse_amounts,
    rounded,
)
from connector.arrow.text import decimal_text
from connector.mapping.conversions import Conversions, Rules
from connector.mapping.texts import coerce_texts


def coerce_money(columns: dict[str, pa.Array], rules: Rules, result: Conversions) -> None:
    """Make `value` decimal text rounded to its currency's digits, and `currency` a listed code.

    An amount in an unknown currency is no amount: both are left out.

    Args:
        columns: Columns so far; `value` and `currency` are replaced in place.
        rules: What the destination says about them.
        result: Where bad values and rejected rows are recorded.
    """
    rows = len(columns["event_name"])
    currency = upper(columns.get("currency", pa.nulls(rows, pa.string())))
    listed = currency_digits()
    unknown = present(currency) & ~mask(pc.is_in(currency, value_set=listed.field("code")))
    result.mark_bad("currency", unknown)
    amounts = (
        _coerce_amounts(columns["value"], result) if "value" in columns else pa.nulls(rows, MONEY)
    )
    if unknown.any():
        currency, amounts = (
            pc.if_else(pa.array(unknown), None, column) for column in (currency, amounts)
        )
    if rules.default_currency:
        currency = pc.if_else(
            pa.array(present(amounts) & ~present(currency)), rules.default_currency, currency
        )
    position = pc.index_in(currency, value_set=listed.field("code"))
    result.digits = pc.fill_null(pc.take(listed.field("digits"), position), 2).to_numpy(
        zero_copy_only=False
    )
    if "value" in columns:
        amounts = rounded(amounts, result.digits, minor=rules.minor)
        result.reject(
            mask(pc.less(amounts, 0)) | mask(pc.greater(amounts, MAX_VALUE)), "bad_value", "value"
        )
        columns["value"] = decimal_text(amounts)
    columns["currency"] = currency


def _coerce_amounts(raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_boolean(raw.type):
        result.mark_bad("value", present(raw))
        return pa.nulls(len(raw), MONEY)
    if is_exact(raw.type):
        return raw.cast(MONEY)
    text = amount_text(raw) if is_numeric(raw.type) else coerce_texts("value", raw, result)
    amounts, bad, extreme = parse_amounts(text)
    result.mark_bad("value", bad)
    result.reject(extreme, "bad_value", "value")
    return amounts
