"""Row keys as the state knows them."""

from __future__ import annotations

import hashlib

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from connector.state.keys import hash_keys


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=200), max_size=5),
    st.binary(min_size=16, max_size=200),
)
def test_a_key_is_known_by_its_keyed_hash(keys: list[str], installation_key: bytes) -> None:
    key = installation_key if len(installation_key) <= 64 else hashlib.blake2b(installation_key)
    key = key if isinstance(key, bytes) else key.digest()
    expected = [hashlib.blake2b(each.encode(), key=key, digest_size=16).digest() for each in keys]
    assert hash_keys(pa.array(keys, pa.string()), installation_key) == expected


def test_a_known_answer() -> None:
    """From OpenSSL 3: `openssl mac -macopt hexkey:000102...0f -macopt size:16 BLAKE2BMAC`."""
    [found] = hash_keys(pa.array(["c000001"]), bytes(range(16)))
    assert found.hex() == "3c85ccd0481a2e554de37796c0c255d4"
