"""The Trade Desk's offline conversions: lines that fail are named, the others are processed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import Dialect, Judged, Received, Reply, Violation, demand, listed
from connector.sandbox.dialects.shapes import (
    currency,
    decimal_text,
    each,
    has,
    text,
    thing,
    zoned,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("thetradedesk_offline")

_MOST = 1000
_IDS = ("TDID", "DAID", "UID2", "UID2Token", "EUID", "EUIDToken", "RampID", "ImpressionId")
_CODES = {"time": "InvalidTimestamp", "unknown": "ItemDeserializationError"}

_event = thing(
    {
        **dict.fromkeys(_IDS, text),
        **dict.fromkeys(
            (
                *("DataProviderUserId", "CookieMappingPartnerId", "TrackingTagId", "OrderId"),
                *("EventName", "MerchantId", "Country", "Region", "Metro", "City"),
            ),
            text,
        ),
        **{f"TD{number}": text for number in range(1, 11)},
        "TimestampUtc": zoned(code="time"),
        "Value": decimal_text,
        "ValueCurrency": currency,
        "UserIdArray": each(each(text, least=2, most=2), least=1),
        "LineItems": each(thing({})),
        "PrivacySettings": each(thing({})),
    },
    others="refuse",
)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if violations:
        return violations
    if not has(event, "TrackingTagId"):
        return [Violation("TrackingTagId", "is required", "missing")]
    if not has(event, "TimestampUtc"):
        return [Violation("TimestampUtc", "is required", "missing")]
    if not any(has(event, name) for name in (*_IDS, "DataProviderUserId", "UserIdArray")):
        return [Violation("TDID", "is required, or another id", "identity")]
    return []


def _code(violation: Violation) -> str:
    if violation.field == "TrackingTagId":
        return "MissingOrInvalidTrackingTagId"
    if violation.field == "TimestampUtc":
        return "InvalidTimestamp"
    if violation.code == "identity":
        return "MissingOrInvalidTDIDAndImpressionId"
    if violation.field.startswith("UserIdArray"):
        return "InvalidUserIdTypeOrUserId"
    return _CODES.get(violation.code, "Unknown")


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    failed = [
        {
            "number": str(index + 1),
            "code": _code(refusal),
            "said": f"{refusal.field} {refusal.message}",
            "order": each_one.event.get("OrderId") if isinstance(each_one.event, dict) else None,
        }
        for index, each_one in enumerate(judged)
        if (refusal := each_one.refused) is not None
    ]
    return _answers.reply("taken_in_part", line=failed) if failed else _answers.reply("taken")


DIALECT = Dialect(
    name="thetradedesk_offline",
    routes=("/providerapi/offlineconversion",),
    authenticate=demand(
        lambda received: received.headers.get("ttd-auth"), _answers.reply("wrong_token")
    ),
    events=lambda received: listed(
        received,
        "Items",
        _MOST,
        lambda message: _answers.reply("bad_request", number=None, said=message),
    ),
    check=_check,
    event_id=lambda event: str(event.get("OrderId", "")),
    account=lambda _event, received: str(received.body.get("DataProviderId", "")),
    reply=_reply,
    answers=_answers,
    partial=lambda _received, _judged: True,
)
