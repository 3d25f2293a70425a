"""Snapchat's Business SDK: its normal forms.

It speaks version 2 of the API, which hashes the same fields under other names.
"""

from __future__ import annotations

from typing import Any

from snap_business_sdk.public.conversion_event import ConversionEvent

from tests.judges.ours import Fields
from tests.judges.rows import Row

PLATFORM = "snapchat"
OVERRIDES: dict[str, Any] = {}
_FIELDS = {
    "em": ("email", "email", "hashed_email"),
    "ph": ("phone", "phone_number", "hashed_phone_number"),
    "fn": ("first_name", "first_name", "hashed_first_name_sha"),
    "ln": ("last_name", "last_name", "hashed_last_name_sha"),
    "ct": ("city", "city", "hashed_city_sha"),
    "st": ("state", "state", "hashed_state_sha"),
    "zp": ("postal_code", "zip", "hashed_zip"),
}
"""Field of version 3 -> our column, the SDK's argument, and what it makes of it."""
HASHED = tuple(_FIELDS)


def ours(record: Any) -> Fields:
    """The digests that the SDK makes too."""
    user = record["user_data"]
    return {name: user[name][0] for name in _FIELDS if name in user}


def theirs(row: Row, _record: Any) -> Fields:
    """The SDK's digests."""
    given = {
        argument: row[column] for column, argument, _ in _FIELDS.values() if row[column] is not None
    }
    made = ConversionEvent.norm_and_hash(**given)
    return {name: made[key] for name, (_, _, key) in _FIELDS.items() if made.get(key)}
