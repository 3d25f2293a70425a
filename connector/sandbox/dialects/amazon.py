"""Amazon Ads Events API: a multi-status that lists what was taken and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import (
    Address,
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    listed,
    same,
)
from connector.sandbox.dialects.oauth import give_token, has_token
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    address,
    currency,
    digest,
    each,
    integer,
    number,
    one_of,
    pattern,
    text,
    thing,
    zoned,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("amazon")

_MOST = 500
_TYPES = """
ADD_TO_SHOPPING_CART APPLICATION CHECKOUT CONTACT LEAD OFF_AMAZON_PURCHASES
MOBILE_APP_FIRST_START PAGE_VIEW SEARCH SIGN_UP SUBSCRIBE OTHER
""".split()  # noqa: SIM905  reads better than a column of quotes
_HASHED = ("EMAIL", "PHONE", "FIRST_NAME", "LAST_NAME", "ADDRESS", "CITY", "STATE", "POSTAL")
_RAW = ("MAID", "RAMP_ID", "MATCH_ID", "REAL_ID", "MERKLE_ID", "KANTAR_ID", "FIP")
_CODES = {"missing": "FIELD_VALUE_IS_NULL", "size": "FIELD_SIZE_IS_OUT_OF_RANGE"}

_granted = one_of("GRANTED", "DENIED")
_key: dict[str, Rule] = {
    kind: thing(
        {"type": text, "values": each(digest if kind in _HASHED else text, least=1, most=1)},
        required=("type", "values"),
        others="refuse",
    )
    for kind in (*_HASHED, *_RAW)
}


def _match_key(where: str, value: Any) -> Sequence[Violation]:
    kind = value.get("type") if isinstance(value, dict) else None
    rule = _key.get(kind) if isinstance(kind, str) else None
    return rule(where, value) if rule else (Violation(f"{where}.type", "is no match key"),)


_event = thing(
    {
        "eventDescription": thing(
            {
                "name": text,
                "conversionType": one_of(*_TYPES),
                "eventSource": one_of(
                    *("WEBSITE", "ANDROID", "IOS", "FIRE_TV", "OFFLINE"),
                    "MEASUREMENT_ATTRIBUTION_PARTNER",
                ),
                "eventIngestionMethod": one_of("SERVER_TO_SERVER"),
                "dataSetName": pattern("[A-Za-z][A-Za-z0-9_-]*", "is no name of a data set"),
            },
            required=("name", "conversionType", "eventSource", "eventIngestionMethod"),
            others="refuse",
        ),
        "countryCode": pattern("[A-Z]{2}", "must be an ISO 3166 code of two letters"),
        "eventTime": zoned(7 * DAY),
        **dict.fromkeys(
            ("eventId", "clientDedupeId", "amazonAdEventKey", "arefMeasurementTokens"), text
        ),
        "value": number,
        "currencyCode": currency,
        "unitsSold": integer,
        "matchKeys": each(_match_key, least=1, most=15),
        "customData": each(
            thing(
                {
                    **dict.fromkeys(
                        ("name", "value"), pattern("[A-Za-z0-9_]+", "may hold letters and digits")
                    ),
                    "dataType": one_of("STRING", "INTEGER", "TIMESTAMP"),
                },
                required=("name", "value"),
            ),
            most=13,
        ),
        "deviceInfo": thing({"userAgent": pattern(".{1,512}", "must have up to 512 characters")}),
        "consent": thing(
            {
                "geo": thing({"ipAddress": address}, others="refuse"),
                "amazonConsent": thing(
                    {"amznUserData": _granted, "amznAdStorage": _granted}, others="refuse"
                ),
                "tcf": text,
                "gpp": text,
            },
            others="refuse",
        ),
        "dataProcessingOptions": thing(
            {"options": one_of("LIMITED_DATA_USE")}, required=("options",)
        ),
    },
    required=("eventDescription", "countryCode", "eventTime", "matchKeys"),
    others="refuse",
)


def _authenticate(received: Received) -> Reply | None:
    if not has_token(received):
        return _answers.reply("wrong_token")
    named = received.headers.get("amazon-ads-clientid")
    if not same(named, received.state.secrets.client_id) or not received.headers.get(
        "amazon-ads-accountid"
    ):
        return _answers.reply("no_permission")
    return None


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    kind = event.get("eventDescription", {}) if not violations else {}
    if kind.get("conversionType") == "OFF_AMAZON_PURCHASES" and event.get("value", 0) < 0:
        return [Violation("value", "must not be negative for a purchase", "value")]
    return violations


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    good = [{"index": index} for index, each_one in enumerate(judged) if each_one.refused is None]
    bad = [
        {
            "index": index,
            "code": _CODES.get(refusal.code, "FIELD_VALUE_IS_INVALID"),
            "field": f"$.events[{index}].{refusal.field}",
            "said": refusal.message,
        }
        for index, each_one in enumerate(judged)
        if (refusal := each_one.refused) is not None
    ]
    if bad:
        return _answers.reply("taken_in_part", event=good, bad=bad)
    return _answers.reply("taken", event=good)


DIALECT = Dialect(
    name="amazon",
    routes=("/adsApi/v1/create/events",),
    authenticate=_authenticate,
    events=lambda received: listed(
        received, "events", _MOST, lambda message: _answers.reply("bad_request", said=message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("eventId", "")),
    account=lambda _event, received: received.headers.get("amazon-ads-accountid", ""),
    reply=_reply,
    answers=_answers,
    partial=lambda _received, _judged: True,
    others=(
        Address("POST", "/auth/o2/token", lambda received: give_token(received, _answers, "Atza|")),
    ),
)
