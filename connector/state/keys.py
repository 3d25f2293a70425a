"""Row keys as the state knows them: keyed hashes, because a key may itself describe a person."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa

from connector.arrow.composite_key import joined_key
from connector.model import Mark

HASH_BYTES = 16


def hash_keys(keys: pa.Array, installation_key: bytes) -> list[bytes]:
    """Hash row keys with BLAKE2b under the installation's key.

    Args:
        keys: Joined key texts, shape (n,).
        installation_key: Of any length; one of more than BLAKE2b's 64 bytes is hashed first.

    Returns:
        HASH_BYTES for each.
    """
    key = installation_key
    if len(key) > hashlib.blake2b.MAX_KEY_SIZE:
        key = hashlib.blake2b(key).digest()
    keyed = hashlib.blake2b(key=key, digest_size=HASH_BYTES)
    hashes = []
    for text in keys.cast(pa.binary()).to_pylist():
        digest = keyed.copy()  # takes half the time of giving the key again
        digest.update(text)
        hashes.append(digest.digest())
    return hashes


def hash_of(key: Sequence[str], installation_key: bytes) -> bytes:
    """The hash of one key, given as texts of its columns."""
    return hash_keys(pa.array([joined_key(key)]), installation_key)[0]


def text_of_key(place: Mark) -> str | None:
    """The key of a place as JSON text, as the tables keep it."""
    return None if place.key is None else json.dumps(place.key)


def mark_of(cursor: str | None, key: str | None) -> Mark | None:
    """A place from its two columns; None where there is none."""
    if cursor is None:
        return None
    return Mark(cursor, None if key is None else tuple(json.loads(key)))
