"""Row keys as the state knows them."""

from __future__ import annotations

import hmac

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from connector.state.keys import hash_keys


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=200), max_size=5),
    st.binary(min_size=16, max_size=200),
)
def test_a_key_is_known_by_its_hmac_sha256(keys: list[str], installation_key: bytes) -> None:
    expected = [hmac.digest(installation_key, key.encode(), "sha256")[:16] for key in keys]
    assert hash_keys(pa.array(keys, pa.string()), installation_key) == expected
