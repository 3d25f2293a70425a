"""Digests of normal forms. A digest is still personal data: it is sent, and never stored."""

from __future__ import annotations

import functools
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_exceptions, over_distinct
from connector.identifiers.placeholders import spellings

_BASE64 = r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"
"""Base64 of 32 bytes: the last letter carries two bits that are always zero."""


def sha256_hex(values: pa.Array) -> pa.Array:
    """Lower-case hex SHA-256 of the UTF-8 bytes, 64 characters."""
    return over_distinct(values, sha256_hex_of_each, most=0.8)


def sha256_hex_of_each(values: pa.Array) -> pa.Array:
    """As `sha256_hex`, for texts that hardly ever repeat."""
    sha256 = hashlib.sha256
    digests = b"".join(
        [sha256(value).digest() for value in values.drop_null().cast(pa.binary()).to_pylist()]
    )
    there = values.is_valid().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(there)]).astype(np.int32) * 64
    marks = pa.py_buffer(np.packbits(there, bitorder="little")) if values.null_count else None
    return pa.StringArray.from_buffers(
        len(values), pa.py_buffer(ends), pa.py_buffer(digests.hex().encode()), marks
    )


def sha256_b64(values: pa.Array) -> pa.Array:
    """Base64 SHA-256 of the UTF-8 bytes, 44 characters.

    Source: UID2; Google where `encoding` is BASE64.
    """
    return _base64(values, hashlib.sha256)


def sha512_b64(values: pa.Array) -> pa.Array:
    """Base64 SHA-512 of the UTF-8 bytes, 88 characters. Source: base platform (`order_id`)."""
    return _base64(values, hashlib.sha512)


def _base64(values: pa.Array, algorithm: Callable[[bytes], Any]) -> pa.Array:
    return pa.array(
        [
            None if value is None else b64encode(algorithm(value).digest()).decode()
            for value in values.cast(pa.binary()).to_pylist()
        ],
        pa.string(),
    )


def prehashed_hex(digests: pa.Array) -> pa.Array:
    """SHA-256 digests made elsewhere as lower-case hex; null if it is none, or of a placeholder.

    Args:
        digests: 64 hex digits in either case, or base64 of the 32 bytes, shape (n,).
    """
    lower = map_exceptions(
        digests,
        pc.ascii_lower(digests),
        pc.match_substring_regex(digests, _BASE64),
        lambda text: b64decode(text).hex(),
    )
    good = pc.and_(
        pc.match_substring_regex(lower, r"^[0-9a-f]{64}$"),
        pc.invert(pc.is_in(lower, value_set=_placeholder_digests())),
    )
    return pc.if_else(good, lower, None)


@functools.cache
def _placeholder_digests() -> pa.Array:
    """Digests that thousands of people would share, because a script hashed a missing value."""
    return pa.array([hashlib.sha256(text.encode()).hexdigest() for text in spellings()])
