"""The UID2 client: The Trade Desk's digests, made by the base platform with three overrides."""

from __future__ import annotations

import contextlib
from typing import Any

from uid2_client import normalize_and_hash_email, normalize_and_hash_phone

from tests.judges.ours import Fields
from tests.judges.rows import Row

PLATFORM = "capi"
OVERRIDES: dict[str, Any] = {
    "identifiers": {
        "HashedEmail": {"value": "email | email_uid2 | sha256_b64"},
        "HashedPhone": {"value": "phone | phone_e164 | sha256_b64"},
        "Phone": {"value": "phone | phone_e164"},
    }
}
HASHED = ("HashedEmail",)


def ours(record: Any) -> Fields:
    """E-mail by the row; the phone's digest beside the phone that it is made of."""
    ids = {entry["name"]: entry["id"] for entry in record["ids"]}
    return {name: ids[name] for name in ("HashedEmail", "HashedPhone") if name in ids}


def theirs(row: Row, record: Any) -> Fields:
    """The client wants phones in E.164, so it is given ours."""
    found: Fields = {}
    with contextlib.suppress(ValueError):
        found["HashedEmail"] = normalize_and_hash_email(row["email"])
    for entry in record["ids"]:
        if entry["name"] == "Phone":
            found["HashedPhone"] = normalize_and_hash_phone(entry["id"])
    return found
