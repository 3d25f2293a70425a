"""Canonical columns, as any driver gave them -> typed Arrow columns.

What cannot be used becomes null and is recorded in `bad`; what makes the whole row unusable is
recorded in `rejected`. Nothing is invented and nothing is guessed. Rules that differ between
platforms (how an e-mail is normalised, what is required) live in `identifiers` and `platforms`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, lower, trimmed
from connector.arrow.masks import mask, present
from connector.identifiers.placeholders import PLACEHOLDERS, without_placeholders
from connector.mapping.conversions import Conversions, Rules
from connector.mapping.event_times import coerce_times, require_times
from connector.mapping.money import coerce_money
from connector.mapping.texts import coerce_texts
from connector.platforms.columns import COLUMNS
from connector.platforms.functions.typed import booleans, json_numbers, texts


def conform(source: pa.Table, rules: Rules) -> Conversions:
    """Coerce canonical columns to their types.

    Args:
        source: Columns of canonical names and any types, shape (n, columns).
        rules: What the destination says about them.

    Raises:
        ConfigError: A column has a type that cannot be exact, such as an id as a float.
    """
    result = Conversions(table=source)
    columns: dict[str, pa.Array] = {}
    for name in source.column_names:
        kind = COLUMNS[name].kind
        raw = source[name].combine_chunks()
        if kind == "time":
            columns[name] = coerce_times(raw, rules, result)
        elif kind in ("text", "currency"):
            columns[name] = coerce_texts(name, raw, result)
        elif kind == "choice":
            columns[name] = _coerce_choices(name, raw, result)
        elif kind == "flag":
            columns[name] = _coerce_flags(name, raw, result)
        elif kind == "number":
            columns[name] = _coerce_numbers(name, raw, result)
        elif kind == "integer":
            columns[name] = _coerce_integers(name, raw, result)
        elif kind == "json":
            columns[name] = _coerce_lists(raw)
        else:
            columns[name] = raw
    rows = source.num_rows
    names = columns.setdefault("event_name", pa.nulls(rows, pa.string()))
    _require_names(names, result)
    columns["event_time"] = require_times(
        columns.get("event_time", pa.nulls(rows, pa.timestamp("us", "UTC"))), rules, result
    )
    coerce_money(columns, rules, result)
    result.table = pa.table(columns)
    return result


def _coerce_flags(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_boolean(raw.type):
        return raw
    text = coerce_texts(name, raw, result)
    flags = booleans(text)
    result.mark_bad(name, present(text) & ~present(flags))
    return flags


def _coerce_numbers(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    """Exact text of numbers."""
    numbers = json_numbers(raw)
    given = without_placeholders(texts(raw))
    result.mark_bad(name, present(given) & ~present(numbers))
    return numbers


def _coerce_choices(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    """Columns such as `action_source`, whose values are the same words for every platform."""
    text = lower(coerce_texts(name, raw, result))
    known = pc.is_in(text, value_set=pa.array(COLUMNS[name].choices))
    result.mark_bad(name, present(text) & ~mask(known))
    return pc.if_else(known, text, None)


def _coerce_lists(raw: pa.Array) -> pa.Array:
    """Lists, as JSON text or nested; null for empty ones and placeholders."""
    if pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type):
        return pc.if_else(pc.equal(pc.list_value_length(raw), 0), None, raw)
    if not pa.types.is_string(raw.type):
        return raw
    start = lower(pc.utf8_slice_codeunits(trimmed(raw), 0, 16))
    return pc.if_else(pc.is_in(start, value_set=pa.array([*sorted(PLACEHOLDERS), "[]"])), None, raw)


def _coerce_integers(name: str, raw: pa.Array, result: Conversions) -> pa.Array:
    if pa.types.is_floating(raw.type):
        whole = pc.and_(pc.equal(pc.floor(raw), raw), pc.less(pc.abs(raw), 10**9))
        result.mark_bad(name, present(raw) & ~mask(whole))
        raw = pc.if_else(whole, raw, None).cast(pa.int64())
    text = coerce_texts(name, raw, result)
    good = pc.match_substring_regex(text, r"^\d{1,9}$")
    result.mark_bad(name, present(text) & ~mask(good))
    return pc.if_else(good, text, None).cast(pa.int64())


def _require_names(names: pa.Array, result: Conversions) -> None:
    """Reject rows without a name, and those whose name has a control character."""
    missing = ~present(names)
    if contains_bytes(names, below=ord(" "), among=b"\x7f"):
        missing |= mask(pc.match_substring_regex(names, r"[\x00-\x1f\x7f]"))
    result.reject(missing, "missing_event_name", "event_name")
