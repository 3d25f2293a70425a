"""Row keys as the state knows them: an HMAC under the installation's key, because a key may itself describe a person."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

from connector.arrow.composite_key import joined_key
from connector.model import Mark

HASH_BYTES = 16
_BLOCK = 64


def hash_keys(keys: pa.Array, installation_key: bytes) -> list[bytes]:
    """keys: joined key texts, shape (n,). Returns the first 16 bytes of HMAC-SHA256 of each."""
    inner, outer = _keyed(installation_key)
    return [_digest(inner, outer, key) for key in keys.cast(pa.binary()).to_pylist()]


def hash_of(key: Sequence[str], installation_key: bytes) -> bytes:
    """The hash of one key. key: texts of its columns."""
    return hash_keys(pa.array([joined_key(key)]), installation_key)[0]


def _keyed(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC's two hashes with the key taken in: copying them takes less than half of what `hmac.digest` takes."""
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(
        bytes(byte ^ 0x5C for byte in block)
    )


def _digest(inner: hashlib._Hash, outer: hashlib._Hash, message: bytes) -> bytes:
    first, second = inner.copy(), outer.copy()
    first.update(message)
    second.update(first.digest())
    return second.digest()[:HASH_BYTES]


def text_of_key(mark: Mark) -> str | None:
    """The key of a place as JSON text, as the tables keep it."""
    return None if mark.key is None else json.dumps(mark.key)


def mark_of(cursor: str | None, key: str | None) -> Mark | None:
    """A place from its two columns; None where there is none."""
    if cursor is None:
        return None
    return Mark(cursor, None if key is None else tuple(json.loads(key)))
