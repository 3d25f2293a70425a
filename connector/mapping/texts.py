"""Any column as trimmed text, without placeholders."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, longest_bytes, trimmed
from connector.arrow.masks import mask, present
from connector.arrow.text import MAX_EXACT_FLOAT, text_array
from connector.errors import ConfigError
from connector.identifiers.placeholders import without_placeholders
from connector.mapping.conversions import Conversions

MAX_TEXT = 4096
"""Characters of a text in any column."""


def coerce_texts(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    """A canonical column as text; what is no usable text becomes null and is recorded as bad.

    Raises:
        ConfigError: The column's type has lost digits, or has no exact text.
    """
    if pa.types.is_floating(raw.type):
        raw = _whole_phones(name, raw, result)
    if name == "postal_code" and (pa.types.is_integer(raw.type) or pa.types.is_decimal(raw.type)):
        raise ConfigError(
            "the column postal_code comes as a number, which has lost its leading zeros; select it "
            "as text in the query"
        )
    try:
        text = text_array(raw)
    except TypeError:
        raise ConfigError(
            f"the column {name} comes as {raw.type}, which has no exact text; cast it to text in "
            "the query"
        ) from None
    if text.null_count > raw.null_count:
        result.mark_bad(name, present(raw) & ~present(text))
    text = without_placeholders(trimmed(text))
    if name == "user_agent" and longest_bytes(text) > MAX_TEXT:  # its first bytes may be enough
        text = pc.utf8_slice_codeunits(text, 0, MAX_TEXT)
    if not contains_bytes(text, below=1) and longest_bytes(text) <= MAX_TEXT:
        return text
    unusable = pc.or_(
        pc.match_substring_regex(text, r"\x00"), pc.greater(pc.utf8_length(text), MAX_TEXT)
    )
    result.mark_bad(name, mask(unusable))
    return pc.if_else(unusable, None, text)


def _whole_phones(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    """Phones that a NULL turned into floats, as integers: their digits are still exact."""
    if name != "phone":
        raise ConfigError(
            f"the column {name} comes as a floating-point number, which loses digits; cast it to "
            "text in the query"
        )
    whole = pc.and_(pc.equal(pc.floor(raw), raw), pc.less(pc.abs(raw), MAX_EXACT_FLOAT))
    result.mark_bad(name, present(raw) & ~mask(whole))
    return pc.if_else(whole, raw, None).cast(pa.int64())
