"""Google's Data Manager: names, types and enumerations by its client, people by its formatter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from google.ads.datamanager_util import Formatter
from google.ads.datamanager_util.format import Encoding
from google.ads.datamanager_v1.types import IngestEventsRequest
from google.protobuf import json_format

from tests.judges.ours import Fields, flat
from tests.judges.rows import Row

PLATFORM = "google"
OVERRIDES: dict[str, Any] = {}
HASHED = ("email", "phone", "givenName", "familyName")
_format = Formatter()


def ours(record: Any) -> Fields:
    """The record as the client reads and writes it.

    Raises ParseError for a name, type or word of an enumeration that the client does not know.
    """
    request = json_format.ParseDict({"events": [record]}, IngestEventsRequest.pb()())
    (written,) = json_format.MessageToDict(request)["events"]
    users = written.pop("userData", {}).get("userIdentifiers", [])
    kept = ("eventTimestamp", "currency", "conversionValue", "adIdentifiers", "eventDeviceInfo")
    fields = flat({name: written[name] for name in kept if name in written})
    for user in users:
        fields |= {_SHORT.get(name, name): value for name, value in user.items() if name in _SHORT}
        fields |= user.get("address", {})
    return fields | flat(written.get("cartData", {}), "cartData")


_SHORT = {"emailAddress": "email", "phoneNumber": "phone"}


def theirs(row: Row, _record: Any) -> Fields:
    """The same fields from the row. What the formatter refuses with a ValueError is not sent."""
    moment = dt.datetime.fromisoformat(row["event_time"])
    event = {
        "eventTimestamp": moment.astimezone(dt.UTC).isoformat(),
        "currency": row["currency"],
        "conversionValue": float(row["value"]),
        "adIdentifiers": {name: row[name] for name in _CLICKS if row.get(name)},
        "eventDeviceInfo": {"userAgent": row["user_agent"], "ipAddress": row["client_ip"]},
        "cartData": {"items": [_item(item) for item in row["contents"]]},
    }
    request = json_format.ParseDict({"events": [event]}, IngestEventsRequest.pb()())
    (written,) = json_format.MessageToDict(request)["events"]
    return flat(written) | _user(row)


_CLICKS = ("gclid", "gbraid", "wbraid")


def _user(row: Row) -> Fields:
    found: Fields = {
        "email": _refusable(_format.process_email_address, row["email"], Encoding.HEX),
        "phone": _refusable(_format.process_phone_number, row["phone"], Encoding.HEX),
    }
    address = {
        "givenName": _refusable(_format.process_given_name, row["first_name"], Encoding.HEX),
        "familyName": _refusable(_format.process_family_name, row["last_name"], Encoding.HEX),
        "regionCode": _refusable(_format.process_region_code, row["country"]),
        "postalCode": _refusable(_format.process_postal_code, row["postal_code"]),
    }
    if all(address.values()):
        found |= address
    return {name: value for name, value in found.items() if value is not None}


def _refusable(process: Callable[..., str], *arguments: Any) -> str | None:
    try:
        return process(*arguments)
    except ValueError:
        return None


def _item(item: Row) -> Row:
    made: Row = {"merchantProductId": str(item["id"])}
    if "quantity" in item:
        made["quantity"] = int(item["quantity"])
    if "price" in item:
        made["unitPrice"] = float(item["price"])
    return made
