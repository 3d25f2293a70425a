"""Byte-level scans and transformations of whole string columns.

UTF-8 never uses an ASCII byte inside another character, so if a byte does not occur in the buffer,
no value contains that character. One scan of the buffer is far cheaper than a look at each value.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def value_bytes(texts: pa.Array) -> np.ndarray:
    """Bytes of all values back to back, without a copy, shape (bytes,); those under a null too."""
    content = texts.buffers()[2]
    ends = offsets(texts)
    return (
        np.zeros(0, np.uint8)
        if content is None
        else np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
    )


def offsets(texts: pa.Array) -> np.ndarray:
    """Where each value begins in the buffer and, last, where the last one ends, shape (n + 1,)."""
    if not len(texts):
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def contains_bytes(texts: pa.Array, *, below: int = 0, among: bytes = b"") -> bool:
    """Whether any byte of any value is less than `below` or one of `among`."""
    found = value_bytes(texts)
    if not len(found):
        return False
    if below and found.min() < below:
        return True
    content = found.tobytes() if among else b""
    return any(byte in content for byte in among)


def is_ascii(texts: pa.Array) -> bool:
    """Whether every value is ASCII."""
    return bool(value_bytes(texts).max(initial=0) < 0x80)


def longest_bytes(texts: pa.Array) -> int:
    """Length of the longest value in bytes."""
    return int(np.diff(offsets(texts)).max(initial=0))


def first_bytes(texts: pa.Array) -> np.ndarray:
    """The first byte of each value, shape (n,); 0 for an empty one."""
    content, begins = value_bytes(texts), offsets(texts)
    if not len(content):
        return np.zeros(len(texts), np.uint8)
    return np.where(np.diff(begins) > 0, content.take(begins[:-1] - begins[0], mode="clip"), 0)


def lower(texts: pa.Array) -> pa.Array:
    """Lower case of any script."""
    return pc.ascii_lower(texts) if is_ascii(texts) else pc.utf8_lower(texts)


def upper(texts: pa.Array) -> pa.Array:
    """Upper case of any script."""
    return pc.ascii_upper(texts) if is_ascii(texts) else pc.utf8_upper(texts)


def trimmed(texts: pa.Array) -> pa.Array:
    """Values without white space at either end."""
    return (
        pc.utf8_trim_whitespace(texts)
        if contains_bytes(texts, below=ord(" ") + 1) or not is_ascii(texts)
        else texts
    )
