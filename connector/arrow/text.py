"""Values of any type as exact text: no digit is lost, rounded or written in exponent notation."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import json
import re
import struct
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes
from connector.arrow.dictionary import map_exceptions

MAX_EXACT_FLOAT = 2**53
"""Above this a float no longer tells integers apart."""


def exact_text(value: Any) -> str | None:
    """One Python value as exact text; null where it is not valid Unicode.

    Whole floats and decimals become digits, dates ISO 8601, lists and dictionaries JSON.
    """
    return utf8(any_text(value))


def any_text(value: Any) -> str | None:
    """As `exact_text`, with lone surrogates where bytes or text are not valid Unicode."""
    if value is None:
        return None
    if isinstance(value, dict | list | tuple):
        return _json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (
            str(int(value))
            if value.is_integer() and abs(value) < MAX_EXACT_FLOAT
            else repr(float(value))
        )
    if isinstance(value, decimal.Decimal):
        return _plain_decimal(value)
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return str(value)


def utf8(text: str | None) -> str | None:
    """The text; null where it holds a lone surrogate and so has no UTF-8 form."""
    try:
        return text if text is None else text.encode("utf-8").decode()
    except UnicodeEncodeError:
        return None


def _json(value: Any) -> str:
    """Nested values as JSON: numbers beyond 64 bits as texts, null for text that is not Unicode."""
    try:
        return orjson.dumps(value, default=any_text).decode()
    except TypeError:
        return orjson.dumps(_serializable(value), default=any_text).decode()


def _serializable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _serializable(item)
            for key, item in value.items()
            if utf8(str(key)) is not None
        }
    if isinstance(value, list | tuple):
        return [_serializable(item) for item in value]
    if isinstance(value, str) or (isinstance(value, int) and value.bit_length() > 63):
        return utf8(str(value))
    return value if isinstance(value, int | float | None) else utf8(any_text(value))


_LONG_NUMBER = re.compile(r"\d{19}")


def parsed_json(text: str) -> Any:
    """JSON text as Python values, with integers beyond 64 bits exact too.

    Raises:
        ValueError: The text is not JSON.
    """
    return json.loads(text) if _LONG_NUMBER.search(text) else orjson.loads(text)


_MOST_DIGITS = 1000


def _plain_decimal(value: decimal.Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return str(value)
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"


def text_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column of any type as `pa.string()`.

    Integers and decimals become plain digits, UUIDs dashed, dates ISO 8601. Bytes that are not
    UTF-8 become null.

    Raises:
        TypeError: The type has no exact text: floats and booleans.
    """
    array = whole(values) if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name == "arrow.uuid":
            return _uuid_text(array.storage)
        array = array.storage
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_dictionary(kind):
        return text_array(array.dictionary_decode())
    if (
        pa.types.is_null(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return decimal_text(array)
    if pa.types.is_date(kind):
        return pc.strftime(array.cast(pa.timestamp("s")), "%Y-%m-%d")
    if pa.types.is_timestamp(kind):
        return time_text(array)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([exact_text(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        return pa.array([any_text(value) for value in array.to_pylist()], pa.string())
    raise TypeError(f"a column of type {kind} has no exact text")


def whole(values: pa.ChunkedArray) -> pa.Array:
    """All chunks as one array; pyarrow itself would import pandas to make an empty one."""
    return values.combine_chunks() if values.num_chunks else pa.nulls(0, values.type)


def _uuid_text(ids: pa.FixedSizeBinaryArray) -> pa.Array:
    """16 bytes each as 36 characters with dashes, without a Python object for each."""
    there = pc.fill_null(ids, bytes(16))
    content = np.frombuffer(there.buffers()[1], np.uint8).reshape(-1, 16)[
        there.offset : there.offset + len(there)
    ]
    letters = np.full((len(ids), 36), ord("-"), np.uint8)
    letters[:, _UUID_PLACES] = _HEX[content].reshape(-1, 32)
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 36
    text = pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(letters))
    return pc.if_else(ids.is_valid(), text, None) if ids.null_count else text


_HEX = np.array([[ord(letter) for letter in f"{byte:02x}"] for byte in range(256)], np.uint8)
_UUID_PLACES = [place for place in range(36) if place not in (8, 13, 18, 23)]


def decimal_text(amounts: pa.Array) -> pa.Array:
    """Decimals in plain notation without trailing zeros: `99.99`, `100`, `0`.

    The text does not depend on the column's scale.
    """
    text = amounts.cast(pa.string())
    if contains_bytes(text, among=b"E"):
        text = map_exceptions(
            text, text, pc.match_substring(text, "E"), lambda number: f"{decimal.Decimal(number):f}"
        )
    return (
        pc.ascii_rtrim(pc.ascii_rtrim(text, characters="0"), characters=".")
        if amounts.type.scale > 0
        else text
    )


def real_text(numbers: pa.Array) -> pa.Array:
    """Floats as `exact_text` writes them: whole ones as digits, others in their shortest form."""
    text, size = numbers.cast(pa.string()), pc.abs(numbers)
    usual = pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e10))
    return map_exceptions(text, text, pc.invert(usual), lambda number: exact_text(float(number)))


def time_text(times: pa.Array) -> pa.Array:
    """Timestamps as ISO 8601 text with all digits of the column's unit.

    Zoned timestamps are instants and end in 'Z'; naive ones are wall-clock time and do not.
    """
    zoned = times.type.tz is not None
    text = times.cast(pa.timestamp(times.type.unit)).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(text, _scalar("Z"), _scalar("")) if zoned else text


@functools.cache
def _scalar(text: str) -> pa.StringScalar:
    """A text as an Arrow scalar, made of its bytes: pyarrow would import pandas to convert it."""
    content = text.encode()
    return pa.StringArray.from_buffers(
        1, pa.py_buffer(struct.pack("=2i", 0, len(content))), pa.py_buffer(content)
    )[0]
