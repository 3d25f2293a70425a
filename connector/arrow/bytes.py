"""Byte-level scans and transformations of whole string columns.

UTF-8 never uses an ASCII byte inside another character, so if a byte does not occur in the buffer,
no value contains that character. One scan of the buffer is far cheaper than a look at each value.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_exceptions


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
    """Lower case as Unicode has it: `İ` becomes two code points, `Σ` at the end of a word is `ς`.

    Arrow's own `utf8_lower` maps single code points. Source: SpecialCasing.txt; `str.lower`.
    """
    return _cased(texts, pc.ascii_lower, str.lower)


def upper(texts: pa.Array) -> pa.Array:
    """Upper case as Unicode has it: `ß` becomes `SS`. Source: SpecialCasing.txt; `str.upper`."""
    return _cased(texts, pc.ascii_upper, str.upper)


def _cased(
    texts: pa.Array, of_ascii: Callable[[pa.Array], pa.Array], of_text: Callable[[str], str]
) -> pa.Array:
    """ASCII values by the column, others by the value."""
    fast = of_ascii(texts)
    if is_ascii(texts):
        return fast
    return map_exceptions(texts, fast, pc.invert(pc.string_is_ascii(texts)), of_text)


MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
"""Marks of writing direction: ALM, LRM, RLM, embeddings and isolates with their ends.

Overrides (U+202D, U+202E) are not among them: they make a text look like another one.
"""

INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff"
"""Soft hyphen, zero-width characters, byte-order mark: copied from web pages, never typed."""

EDGES = INVISIBLE + MARKS + "".join(chr(point) for point in range(0x3001) if chr(point).isspace())
"""What is cut off at the ends of a value: the invisible characters, marks and white space."""


def trimmed(texts: pa.Array) -> pa.Array:
    """Values without white space and invisible characters at either end."""
    if is_ascii(texts) and not contains_bytes(texts, below=ord(" ") + 1):
        return texts
    return pc.utf8_trim(texts, characters=EDGES)
