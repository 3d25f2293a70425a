"""Digests, and every vector that a platform publishes
through the rule and the digest that it uses.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identifiers.country import country_alpha2
from connector.identifiers.demographics import dob_yyyymmdd
from connector.identifiers.digest import (
    prehashed_hex,
    sha256_b64,
    sha256_hex,
    sha512_b64,
)
from connector.identifiers.email import (
    email_alnum_local,
    email_basic,
    email_gmail,
    email_strip_all,
    email_uid2,
)
from connector.identifiers.names import name_basic, name_nopunct
from connector.identifiers.phone import phone_digits, phone_e164
from connector.identifiers.placeholders import PLACEHOLDERS
from tests.support.encoding import TEXTS, applied

VECTORS = json.loads((Path(__file__).parents[1] / "vectors.json").read_text(encoding="utf-8"))
RULES: dict[tuple[str, str], Callable[..., pa.Array]] = {
    ("meta", "em"): email_basic,
    ("meta", "ph"): phone_digits,
    ("meta", "fn"): name_nopunct,
    ("meta", "db"): dob_yyyymmdd,
    ("meta", "country"): country_alpha2,
    ("snap", "em"): email_basic,
    ("snap", "ph"): phone_digits,
    ("snap", "fn"): name_basic,
    ("reddit", "email"): email_alnum_local,
    ("microsoft", "em"): email_strip_all,
    ("microsoft", "ph"): phone_e164,
    ("google_dm", "email"): email_gmail,
    ("uid2", "email"): email_uid2,
    ("uid2", "phone"): phone_e164,
}


@pytest.mark.parametrize(
    "vector",
    VECTORS,
    ids=[
        f"{vector['platform']}-{vector['field']}-{number}" for number, vector in enumerate(VECTORS)
    ],
)
def test_published_vectors_are_met(vector: dict[str, Any]) -> None:
    rule = RULES[vector["platform"], vector["field"]]
    options = {"region": "US"} if rule in (phone_e164, phone_digits) else {}
    normal = applied(rule, vector["raw"], **options)
    assert normal == [vector["normalised"]]
    assert applied({"hex": sha256_hex, "base64": sha256_b64}[vector["encoding"]], *normal) == [
        vector["digest"]
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=8))
def test_digests_are_those_of_the_utf8_bytes(texts: list[str | None]) -> None:
    def each(digest: Callable[[bytes], str]) -> list[str | None]:
        return [None if text is None else digest(text.encode()) for text in texts]

    assert applied(sha256_hex, *texts) == each(lambda data: hashlib.sha256(data).hexdigest())
    assert applied(sha256_b64, *texts) == each(
        lambda data: base64.b64encode(hashlib.sha256(data).digest()).decode()
    )
    assert applied(sha512_b64, *texts) == each(
        lambda data: base64.b64encode(hashlib.sha512(data).digest()).decode()
    )


@settings(max_examples=200, deadline=None)
@given(TEXTS | st.text("0123456789abcdefABCDEFg", min_size=63, max_size=65))
def test_a_digest_made_elsewhere_is_64_hex_digits_in_lower_case(text: str) -> None:
    (digest,) = applied(prehashed_hex, text)
    well_formed = len(text) == 64 and set(text.lower()) <= set("0123456789abcdef")
    assert digest == (text.lower() if well_formed else None)
    assert applied(prehashed_hex, digest) == [digest]


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "text", ["", " ", "None", "none", "null", "NULL", "nan", "NaN", "n/a", "N/A", "undefined", "-"]
)
def test_the_digest_of_an_absent_value_is_refused(text: str) -> None:
    assert applied(prehashed_hex, digest_of(text), digest_of(text).upper()) == [None, None]


LISTED = {"", "none", "null", "nan", "n/a", "undefined", "-"}


@pytest.mark.parametrize(
    "text", [*sorted(PLACEHOLDERS - LISTED), "NaT", "<NA>", "Unknown", "[REDACTED]"]
)
def test_the_digest_of_every_placeholder_is_refused(text: str) -> None:
    assert applied(prehashed_hex, digest_of(text)) == [None]


@pytest.mark.parametrize("address", ["test@test.com", "a@example.com", "noreply@example.com"])
def test_the_digest_of_an_address_that_stands_for_none_is_refused(address: str) -> None:
    assert applied(prehashed_hex, digest_of(address), digest_of("jane@example.com")) == [
        None,
        digest_of("jane@example.com"),
    ]


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=33))
def test_a_digest_in_base64_is_the_same_digest(digest: bytes, other: bytes) -> None:
    assert applied(prehashed_hex, base64.b64encode(digest).decode()) == [digest.hex()]
    assert applied(prehashed_hex, base64.b64encode(other).decode()) == [
        other.hex() if len(other) == 32 else None
    ]
    assert applied(prehashed_hex, base64.b64encode(hashlib.sha256(b"None").digest()).decode()) == [
        None
    ]
