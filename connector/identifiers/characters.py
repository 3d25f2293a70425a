"""Lower case without some classes of characters, for names and places.

RE2 takes a millisecond to compile a Unicode class, and Arrow compiles it anew for each column. So
each class becomes a table once.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import is_ascii, lower, trimmed, value_bytes
from connector.arrow.dictionary import at_exceptions

CONTROL = r"[\p{Cc}\p{Cf}]"
PUNCTUATION = r"[\p{P}$+<=>^`|~]"
"""Punctuation of every script, and the ASCII symbols; an emoji is neither."""

SPACE = r"[\s\p{Z}\x{85}]"
SPACE_OR_DASH = r"[\s\p{Z}\x{85}-]"
ALPHANUMERIC = r"[\p{L}\p{N}]"
NOT_ALPHANUMERIC = r"[^\p{L}\p{N}]"

_KNOWN = 0x3000
"""Code points in a table: the alphabets of Europe, the Near East and India, general punctuation."""


def lower_without(texts: pa.Array, *removed: str, lettered: bool = False) -> pa.Array:
    """Lower case without the removed classes, trimmed and NFC; null where nothing is left.

    Args:
        texts: Strings, shape (n,).
        removed: Regular expressions of one character, none of which matches an ASCII letter or
            digit.
        lettered: Whether a text without any letter or digit, such as an emoji, is null too.
    """
    small = lower(texts)

    def cleaned(rest: pa.Array) -> pa.Array:
        left = without_classes(rest, *removed)
        named = pc.match_substring_regex(left, ALPHANUMERIC) if lettered else True
        return pc.if_else(named, left, None)

    return at_exceptions(small, pc.invert(pc.ascii_is_alnum(small)), cleaned)


def without_classes(texts: pa.Array, *removed: str) -> pa.Array:
    """As `lower_without`, in the case that the texts have.

    Args:
        texts: Without nulls, shape (n,).
        *removed: Characters to remove, class by class.
    """
    for characters in removed:
        texts = trimmed(without_characters(texts, characters))
        texts = texts if is_ascii(texts) else pc.utf8_normalize(texts, form="NFC")
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), None, texts)


def without_characters(texts: pa.Array, removed: str) -> pa.Array:
    """Texts without the characters of one class.

    Args:
        texts: Strings without nulls, shape (n,).
        removed: Regular expression of one character.
    """
    points = np.frombuffer(value_bytes(texts).tobytes().decode().encode("utf-32-le"), np.uint32)
    if points.max(initial=0) >= _KNOWN:
        return pc.replace_substring_regex(texts, removed, "")
    kept = ~_table(removed)[points]
    if kept.all():
        return texts
    wide = 1 + (points > 0x7F).astype(np.int32) + (points > 0x7FF)
    written = np.concatenate([[0], np.cumsum(np.where(kept, wide, 0))])
    ends = np.concatenate([[0], np.cumsum(pc.utf8_length(texts).to_numpy())])
    content = points[kept].tobytes().decode("utf-32-le").encode()
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(written[ends].astype(np.int32)), pa.py_buffer(content)
    )


@functools.cache
def _table(removed: str) -> np.ndarray:
    """Whether a class has each known code point, shape (_KNOWN,)."""
    characters = pa.array([chr(point) for point in range(_KNOWN)])
    return pc.match_substring_regex(characters, removed).to_numpy(zero_copy_only=False)
