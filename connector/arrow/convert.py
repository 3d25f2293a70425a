"""Whatever a driver returns -> pandas frames with Arrow-backed dtypes, without pandas guessing types on the way.

pandas turns integers with a NULL into floats, phones into `15551234567.0` and NULLs into the text 'nan'. So columns are
built as Arrow arrays from the driver's own values, and pandas only carries them. It is imported where there is something to
carry: a run that finds nothing to send does without it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import functools
import json
import re
import struct
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import holds
from connector.arrow.dictionary import map_exceptions

if TYPE_CHECKING:
    import pandas as pd

Mask = np.ndarray
"""One boolean a row, shape (n,)."""

MAX_EXACT_FLOAT = 2**53
"""Above this a float no longer tells integers apart."""


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A pandas frame over the table's own memory; every dtype is a `pandas.ArrowDtype`."""
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype, split_blocks=True)


def to_table(frame: pd.DataFrame) -> pa.Table:
    """The Arrow table behind a frame that `to_frame` made, or one converted from any other frame."""
    return pa.Table.from_pandas(frame, preserve_index=False, nthreads=1).replace_schema_metadata(
        None
    )


def array_of_values(values: Sequence[Any]) -> pa.Array:
    """Python values as one Arrow array: their own type where all share one, otherwise each value as exact text.

    Texts of which one cannot be said in UTF-8 are bytes: `text_array` then gives null for that one.
    """
    if isinstance(next((value for value in values if value is not None), None), str):
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            return pa.array(values, pa.string())
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {uuid.UUID} or len(kinds) > 1 or kinds & {dict, list, tuple, memoryview}:
        return _array_of_texts(values)
    if kinds == {dt.datetime}:
        return _array_of_datetimes(values)
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return _array_of_texts(values)


def _array_of_texts(values: Sequence[Any]) -> pa.Array:
    texts = [_text(value) for value in values]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [text if text is None else text.encode("utf-8", "surrogatepass") for text in texts],
            pa.binary(),
        )


def _array_of_datetimes(values: Sequence[dt.datetime | None]) -> pa.Array:
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if zoned == {True}:
        return pa.array(values, pa.timestamp("us", "UTC"))
    if zoned == {False}:
        return pa.array(values, pa.timestamp("us"))
    return pa.array([value and value.isoformat() for value in values], pa.string())


def _text(value: Any) -> str | None:
    """One value as exact text; what is no Unicode holds lone surrogates."""
    if value is None:
        return None
    if isinstance(value, dict | list | tuple):
        return _json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (
            str(int(value)) if value.is_integer() and abs(value) < MAX_EXACT_FLOAT else repr(value)
        )
    if isinstance(value, decimal.Decimal):
        return _plain_decimal(value)
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "surrogateescape")
    return str(value)


def _json(value: Any) -> str:
    """Nested values as JSON; numbers beyond 64 bits as texts, and null for text that is no Unicode."""
    try:
        return orjson.dumps(value, default=_text).decode()
    except TypeError:
        return orjson.dumps(_sayable(value), default=_text).decode()


def _sayable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _sayable(item) for key, item in value.items() if _utf8(str(key)) is not None
        }
    if isinstance(value, list | tuple):
        return [_sayable(item) for item in value]
    if isinstance(value, str) or (isinstance(value, int) and value.bit_length() > 63):
        return _utf8(str(value))
    return value if isinstance(value, int | float | None) else _utf8(_text(value))


_LONG_NUMBER = re.compile(r"\d{19}")


def parsed_json(text: str) -> Any:
    """JSON text as Python values, integers exact beyond 64 bits too. Raises ValueError where it is none."""
    return json.loads(text) if _LONG_NUMBER.search(text) else orjson.loads(text)


def exact_text(value: Any) -> str | None:
    """One Python value as exact text: whole floats and decimals in digits, lists as JSON; null for what is no Unicode."""
    return _utf8(_text(value))


def _utf8(text: str | None) -> str | None:
    try:
        return text if text is None else text.encode("utf-8").decode()
    except UnicodeEncodeError:
        return None


_MOST_DIGITS = 1000


def _plain_decimal(value: decimal.Decimal) -> str:
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return str(value)
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"


def text_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Any column as `pa.string()`: integers and decimals in plain digits, UUIDs dashed, dates in ISO form.

    Bytes that are not UTF-8 become null. Raises TypeError for floats and booleans, which have no exact text.
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
        return pa.array([_utf8(_text(value)) for value in array.to_pylist()], pa.string())
    if pa.types.is_nested(kind):
        return pa.array([_text(value) for value in array.to_pylist()], pa.string())
    raise TypeError(f"a column of type {kind} has no exact text")


def whole(values: pa.ChunkedArray) -> pa.Array:
    """One array of all chunks; pyarrow would import pandas to make an empty one."""
    return values.combine_chunks() if values.num_chunks else pa.nulls(0, values.type)


def _uuid_text(ids: pa.FixedSizeBinaryArray) -> pa.Array:
    """16 bytes each as 36 characters with dashes, without a Python object for each."""
    there = pc.fill_null(ids, bytes(16))
    octets = np.frombuffer(there.buffers()[1], np.uint8).reshape(-1, 16)[
        there.offset : there.offset + len(there)
    ]
    letters = np.full((len(ids), 36), ord("-"), np.uint8)
    letters[:, _UUID_PLACES] = _HEX[octets].reshape(-1, 32)
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * 36
    text = pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(letters))
    return pc.if_else(ids.is_valid(), text, None) if ids.null_count else text


_HEX = np.array([[ord(letter) for letter in f"{octet:02x}"] for octet in range(256)], np.uint8)
_UUID_PLACES = [place for place in range(36) if place not in (8, 13, 18, 23)]


def decimal_text(amounts: pa.Array) -> pa.Array:
    """Decimals in plain notation without trailing zeros: `99.99`, `100`, `0`; the same text whatever the column's scale."""
    text = amounts.cast(pa.string())
    if holds(text, among=b"E"):
        text = map_exceptions(
            text, text, pc.match_substring(text, "E"), lambda number: f"{decimal.Decimal(number):f}"
        )
    return (
        pc.ascii_rtrim(pc.ascii_rtrim(text, characters="0"), characters=".")
        if amounts.type.scale > 0
        else text
    )


def real_text(numbers: pa.Array) -> pa.Array:
    """Floats as `exact_text` has them: whole ones in digits, others in the fewest digits that say them exactly. numbers: shape (n,)."""
    text, size = numbers.cast(pa.string()), pc.abs(numbers)
    usual = pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e10))
    return map_exceptions(text, text, pc.invert(usual), lambda number: exact_text(float(number)))


def time_text(times: pa.Array) -> pa.Array:
    """ISO 8601 text with all of the column's digits; with a 'Z' where the column has a zone.

    times: timestamps of any unit, shape (n,); zoned ones are instants, naive ones wall-clock time.
    """
    zoned = times.type.tz is not None
    text = times.cast(pa.timestamp(times.type.unit)).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(text, _value("Z"), _value("")) if zoned else text


@functools.cache
def _value(text: str) -> pa.StringScalar:
    """A text as an Arrow value, made of its bytes: pyarrow would import pandas to convert it."""
    octets = text.encode()
    return pa.StringArray.from_buffers(
        1, pa.py_buffer(struct.pack("=2i", 0, len(octets))), pa.py_buffer(octets)
    )[0]


def mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """A boolean array as numpy, null counting as false."""
    return (pc.fill_null(values, False) if values.null_count else values).to_numpy(
        zero_copy_only=False
    )


def present(values: pa.Array | pa.ChunkedArray) -> Mask:
    """Rows that hold a value."""
    if values.null_count in (0, len(values)):
        return np.full(len(values), not values.null_count)
    return values.is_valid().to_numpy(zero_copy_only=False)
