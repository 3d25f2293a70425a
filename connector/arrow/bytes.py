"""A column's bytes, looked at all together: what no byte is, no text holds. Far cheaper than a look at each text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def octets(texts: pa.Array) -> np.ndarray:
    """The bytes of all texts, one behind the other, shape (bytes,), without a copy; what lies under a null counts too."""
    content = texts.buffers()[2]
    ends = offsets(texts)
    return (
        np.zeros(0, np.uint8)
        if content is None
        else np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
    )


def offsets(texts: pa.Array) -> np.ndarray:
    """Where each text begins in its buffer and, last, where the last one ends, shape (n + 1,)."""
    if not len(texts):
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def holds(texts: pa.Array, *, below: int = 0, among: bytes = b"") -> bool:
    """Whether any byte of any text is less than `below` or one of `among`."""
    found = octets(texts)
    if not len(found):
        return False
    if below and found.min() < below:
        return True
    content = found.tobytes() if among else b""
    return any(octet in content for octet in among)


def is_ascii(texts: pa.Array) -> bool:
    """Whether every character of every text is ASCII."""
    return bool(octets(texts).max(initial=0) < 0x80)


def longest(texts: pa.Array) -> int:
    """Bytes of the longest text."""
    return int(np.diff(offsets(texts)).max(initial=0))


def first_octets(texts: pa.Array) -> np.ndarray:
    """The first byte of each text, shape (n,); 0 for an empty one."""
    content, begins = octets(texts), offsets(texts)
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
    """Without white space of any kind around."""
    return (
        pc.utf8_trim_whitespace(texts)
        if holds(texts, below=ord(" ") + 1) or not is_ascii(texts)
        else texts
    )
