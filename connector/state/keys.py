"""Row keys as the state knows them: an HMAC under the installation's key, because a key may itself describe a person."""

from __future__ import annotations

import hmac

import pyarrow as pa

HASH_BYTES = 16


def hash_keys(keys: pa.Array, installation_key: bytes) -> list[bytes]:
    """keys: joined key texts, shape (n,). Returns the first 16 bytes of HMAC-SHA256 of each."""
    digest = hmac.digest
    return [digest(installation_key, key, "sha256")[:HASH_BYTES] for key in keys.cast(pa.binary()).to_pylist()]
