"""Types: a column of any kind as texts, numbers, integers, booleans or JSON.

A value that is not of the type becomes null and is counted. What is returned is valid JSON,
whatever the column holds.
"""

from __future__ import annotations

import decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import lower, trimmed
from connector.arrow.text import any_text, exact_text, parsed_json, real_text, text_array
from connector.platforms.functions.registry import Context, Json, Values, function

_NUMBER = r"^-?(0|[1-9]\d{0,30})(\.\d{1,30})?([eE][+-]?\d{1,2})?$"
_INTEGER = r"^-?(0|[1-9]\d{0,17})(\.0+)?$"
_MAX_JSON = 64 * 1024
"""Characters of a JSON value; more would fill a request by itself."""

YES = ["true", "t", "yes", "y", "1", "granted", "g", "consent_granted"]
NO = ["false", "f", "no", "n", "0", "denied", "d", "consent_denied"]


def texts(values: pa.Array) -> pa.Array:
    """A column of any type as trimmed exact text."""
    if pa.types.is_boolean(values.type):
        return pc.if_else(values, "true", "false")
    if pa.types.is_floating(values.type):
        return real_text(values)
    return trimmed(text_array(values))


def booleans(values: pa.Array) -> pa.Array:
    """Booleans, and words and digits that mean one; null for anything else."""
    if pa.types.is_boolean(values.type):
        return values
    words = lower(texts(values))
    yes, no = (pc.is_in(words, value_set=pa.array(each)) for each in (YES, NO))
    return pc.if_else(yes, True, pc.if_else(no, False, None))


def json_numbers(values: pa.Array) -> pa.Array:
    """A column of any type as texts that are JSON numbers; null where one is none."""
    if pa.types.is_boolean(values.type):
        return pa.nulls(len(values), pa.string())
    written = texts(values)
    return pc.if_else(pc.match_substring_regex(written, _NUMBER), written, None)


@function("text", takes="any")
def text(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A JSON string."""
    return texts(values)


@function("number", takes="any", normaliser=True, last=True)
def number(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A JSON number with the digits that it has: `99.99`, `100`."""
    return Json(json_numbers(values))


@function("integer", takes="any", normaliser=True, last=True)
def integer(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A whole JSON number of at most 18 digits."""
    if pa.types.is_boolean(values.type):
        return pa.nulls(len(values), pa.int64())
    written = texts(values)
    whole = pc.if_else(pc.match_substring_regex(written, _INTEGER), written, None)
    return pc.replace_substring_regex(whole, r"\.0+$", "").cast(pa.int64())


@function("boolean", takes="any", normaliser=True, last=True)
def boolean(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """`true` or `false`."""
    return booleans(values)


@function("json", takes="any", normaliser=True, last=True)
def json(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """Any JSON value, from JSON text or from a nested column, written anew; at most 64 KiB."""
    entries = values.to_pylist()
    if pa.types.is_map(values.type):
        entries = [None if entry is None else dict(entry) for entry in entries]
    return Json(pa.array([_written(entry) for entry in entries], pa.string()))


def _written(value: Any) -> str | None:
    """One value as JSON; None where it is none. Raises nothing for any value."""
    if value is None:
        return None
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
        written = orjson.dumps(_serializable(parsed), default=any_text).decode()
    except (ValueError, TypeError, RecursionError):
        return None
    return written if len(written) <= _MAX_JSON else None


def _serializable(value: Any) -> Any:
    """The value, with long integers and decimals, which orjson does not take, as numbers."""
    if isinstance(value, dict):
        return {str(key): _serializable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_serializable(item) for item in value]
    long = isinstance(value, int) and value.bit_length() > 63
    if long or (isinstance(value, decimal.Decimal) and value.is_finite()):
        return orjson.Fragment(exact_text(value) or "null")
    return value
