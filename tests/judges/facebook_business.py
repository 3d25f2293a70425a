"""Meta's Business SDK: the event that it would send, whole."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.user_data import UserData

from tests.judges.ours import Fields, flat
from tests.judges.rows import Row

PLATFORM = "meta"
OVERRIDES: dict[str, Any] = {}
HASHED = ("em", "ph", "fn", "ln", "db", "ge", "ct", "st", "zp", "country", "external_id")


def ours(record: Any) -> Fields:
    """The whole record; `user_data` by its keys, each of which has one value."""
    user = record["user_data"]
    rest = {name: value for name, value in record.items() if name != "user_data"}
    return flat(rest) | {
        name: value[0] if isinstance(value, list) else value for name, value in user.items()
    }


def theirs(row: Row, _record: Any) -> Fields:
    """The SDK's event. A field that it refuses with an exception is not sent."""
    event = Event(
        event_name=row["event_name"],
        event_time=int(dt.datetime.fromisoformat(row["event_time"]).timestamp()),
        event_id=row["event_id"],
        event_source_url=row["event_source_url"],
        opt_out=row.get("opt_out"),
        action_source=ActionSource(row["action_source"]),
        custom_data=_custom_data(row),
        **_limited(row),
    )
    return ours({**event.normalize(), "user_data": _user_data(row)})


def _user_data(row: Row) -> dict[str, Any]:
    given = {
        "email": row["email"],
        "phone": row["phone"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "date_of_birth": row["date_of_birth"],
        "city": row["city"],
        "state": row["state"],
        "zip_code": row["postal_code"],
        "country_code": row["country"],
        "external_id": row["external_id"] and _external_id(row["external_id"]),
        "client_ip_address": row["client_ip"],
        "client_user_agent": row["user_agent"],
        "fbc": row["fbc"],
        "fbp": row["fbp"],
        "madid": row["mobile_ad_id"],
        "gender": _gender(row["gender"]),
    }
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            found |= UserData(**{name: value}).normalize()
        except (TypeError, ValueError):
            continue
    return found


def _gender(text: str) -> Gender | None:
    """The SDK takes its own enumeration alone."""
    names = {member.value: member for member in Gender}
    return names.get(text.lower()) or Gender.__members__.get(text.upper())


def _external_id(value: object) -> str:
    """The SDK sends it as it is, so hashing is the caller's."""
    return hashlib.sha256(str(value).encode()).hexdigest()


def _limited(row: Row) -> dict[str, Any]:
    if not row.get("limited_data_use"):
        return {}
    return {
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 0,
        "data_processing_options_state": 0,
    }


def _custom_data(row: Row) -> CustomData:
    contents = [
        Content(
            product_id=str(item["id"]),
            quantity=int(item["quantity"]) if "quantity" in item else None,
            item_price=float(item["price"]) if "price" in item else None,
            title=item.get("name"),
            category=item.get("category"),
            brand=item.get("brand"),
        )
        for item in row["contents"]
    ]
    return CustomData(
        value=float(row["value"]),
        currency=row["currency"],
        order_id=row["order_id"],
        num_items=row["num_items"],
        content_ids=row["content_ids"],
        contents=contents,
    )
