"""Google Data Manager API: accepted is not processed.

Tokens come by OAuth 2.0, and a request's fate by a later question.
"""

from __future__ import annotations

import uuid
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
    remember,
)
from connector.sandbox.dialects.oauth import give_token, has_token
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    anything,
    boolean,
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

_answers = fixtures("google")

_MOST = 2000
_PARSING = ("unknown", "type", "enum")


def _enum(*values: str) -> Rule:
    known = one_of(*values)
    return lambda where, value: [
        violation._replace(code="enum") for violation in known(where, value)
    ]


_consent = thing(
    dict.fromkeys(("adUserData", "adPersonalization"), _enum("CONSENT_GRANTED", "CONSENT_DENIED")),
    others="refuse",
)
_account = thing(
    {
        "accountType": pattern("[A-Z_]+", "is not a known account type", "enum"),
        "accountId": pattern(r"\d+", "must be digits alone", "number_format"),
    },
    required=("accountType", "accountId"),
    others="refuse",
)
_envelope = thing(
    {
        "destinations": each(
            thing(
                {
                    "reference": text,
                    **dict.fromkeys(
                        ("operatingAccount", "loginAccount", "linkedAccount"), _account
                    ),
                    "productDestinationId": text,
                },
                required=("operatingAccount", "productDestinationId"),
                others="refuse",
            ),
            least=1,
            most=10,
        ),
        "events": anything,
        "consent": _consent,
        "validateOnly": boolean,
        "encoding": _enum("HEX", "BASE64"),
        "encryptionInfo": thing({}),
    },
    required=("destinations",),
    others="refuse",
)
_AD_IDS = (
    "gclid",
    "gbraid",
    "wbraid",
    "sessionAttributes",
    "dclid",
    "impressionId",
    "mobileDeviceId",
    "matchId",
)
_GA4 = ("clientId", "appInstanceId", "userId")
_FLOODLIGHT_IDS = {
    "gclid",
    "dclid",
    "impressionId",
    "matchId",
    "mobileDeviceId",
    "encryptedUserIds",
}


def _event_rule(hashed: Rule) -> Rule:
    """The rule of an event whose digests are encoded in one of the two ways."""
    region = pattern("[A-Z]{2}", "must be an ISO 3166 code")
    person = thing(
        {"givenName": hashed, "familyName": hashed, "regionCode": region, "postalCode": text},
        others="refuse",
    )
    identifier = thing(
        {"emailAddress": hashed, "phoneNumber": hashed, "address": person}, others="refuse"
    )
    item = thing(
        {"merchantProductId": text, "itemId": text, "quantity": integer, "unitPrice": number},
        others="refuse",
    )
    return thing(
        {
            **dict.fromkeys(("transactionId", *_GA4), text),
            "eventName": pattern("[A-Za-z][A-Za-z0-9_]{0,39}", "is no event name", "event_name"),
            "eventTimestamp": zoned(),
            "eventSource": _enum("WEB", "APP", "IN_STORE", "PHONE", "MESSAGE", "OTHER"),
            **dict.fromkeys(("conversionValue", "conversionCount"), number),
            "currency": currency,
            "consent": _consent,
            "adIdentifiers": thing(
                {
                    **dict.fromkeys(_AD_IDS, text),
                    "encryptedUserIds": anything,
                    "landingPageDeviceInfo": thing({}),
                },
                others="refuse",
            ),
            "userData": thing(
                {"userIdentifiers": each(identifier, least=1, most=10)},
                required=("userIdentifiers",),
                others="refuse",
            ),
            "eventDeviceInfo": thing({"userAgent": text, "ipAddress": text}),
            "additionalEventParameters": each(
                thing({"parameterName": text, "value": text}, required=("parameterName", "value"))
            ),
            "cartData": thing({"merchantId": text, "items": each(item)}),
            "customVariables": each(thing({"variable": text, "value": text})),
            "userProperties": thing({}),
            "destinationReferences": each(text),
        },
        required=("eventTimestamp",),
        others="refuse",
    )


_EVENT = {
    "HEX": _event_rule(digest),
    "BASE64": _event_rule(
        pattern(r"[A-Za-z0-9+/]{43}=", "must be a SHA-256 digest in base64", "digest")
    ),
}


def _invalid(violations: Sequence[Violation]) -> Reply:
    """Return all violations that cannot be read, or else all that have the first reason."""
    unread = [
        {"field": violation.field, "said": violation.message}
        for violation in violations
        if violation.code in _PARSING
    ]
    if unread:
        return _answers.reply("unreadable", violation=unread)
    reason = _reason(violations[0])
    alike = [
        {"field": violation.field, "said": violation.message, "reason": reason}
        for violation in violations
        if _reason(violation) == reason
    ]
    return _answers.reply("refused", violation=alike)


_REASONS = {
    "missing": "REQUIRED_FIELD_MISSING",
    "number_format": "INVALID_NUMBER_FORMAT",
    "digest": "INVALID_SHA256_FORMAT",
    "count": "TOO_MANY_EVENTS",
    "identifier": "INVALID_ARGUMENT",
    "identity": "NO_IDENTIFIERS_PROVIDED",
    "currency": "INVALID_CURRENCY_CODE",
    "event_name": "INVALID_EVENT_NAME",
    "both": "BOTH_CLIENT_ID_AND_APP_INSTANCE_ID_NOT_ALLOWED",
    "late": "EVENT_TIME_INVALID",
    "login": "OPERATING_ACCOUNT_LOGIN_ACCOUNT_MISMATCH",
    "userIdentifiers": "TOO_MANY_USER_IDENTIFIERS",
    "destinations": "INVALID_DESTINATION",
}
"""By the code of a violation, or by the field: words of ErrorReason in Google's client library."""


def _reason(violation: Violation) -> str:
    field = violation.field.rpartition(".")[2]
    return _REASONS.get(violation.code) or _REASONS.get(field) or "INVALID_FORMAT"


_OWN_LOGIN = ("GOOGLE_ANALYTICS_PROPERTY", "FLOODLIGHT_CONFIG")
"""Types of account that nobody else logs in for."""


def _authenticate(received: Received) -> Reply | None:
    return None if has_token(received) else _answers.reply("wrong_token")


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    violations = list(_envelope("", received.body))
    if violations:
        return _invalid(violations)
    for index, destination in enumerate(received.body["destinations"]):
        operating, login = destination["operatingAccount"], destination.get("loginAccount")
        if operating["accountType"] in _OWN_LOGIN and login not in (None, operating):
            where = f"destinations[{index}].loginAccount"
            return _invalid([Violation(where, "must be the operating account", "login")])
    events = listed(
        received, "events", _MOST, lambda message: _invalid([Violation("events", message, "count")])
    )
    if (
        isinstance(events, list)
        and "encoding" not in received.body
        and any(isinstance(event, dict) and "userData" in event for event in events)
    ):
        return _invalid(
            [Violation("encoding", "is required where events have userData", "missing")]
        )
    return events


def _check(event: dict[str, Any], received: Received) -> Sequence[Violation]:
    violations = list(_EVENT[received.body.get("encoding", "HEX")]("", event))
    if violations:
        return violations
    for index, entry in enumerate(event.get("userData", {}).get("userIdentifiers", [])):
        if len(entry) != 1:
            violations.append(
                Violation(
                    f"userData.userIdentifiers[{index}]",
                    "must have exactly one of emailAddress, phoneNumber and address",
                    "identifier",
                )
            )
    product = received.body["destinations"][0]["operatingAccount"]["accountType"]
    if product == "GOOGLE_ANALYTICS_PROPERTY":
        violations += _check_analytics(event)
    if product == "FLOODLIGHT_CONFIG" and not event.get("adIdentifiers", {}).keys() & (
        _FLOODLIGHT_IDS
    ):
        violations.append(Violation("", "needs an identifier of the ad", "identity"))
    if not event.keys() & {"adIdentifiers", "userData", *_GA4}:
        violations.append(Violation("", "needs adIdentifiers or userData", "identity"))
    when = zoned(90 * DAY)("eventTimestamp", event["eventTimestamp"])
    return [*violations, *(violation._replace(warning=True) for violation in when)]


def _check_analytics(event: dict[str, Any]) -> list[Violation]:
    violations = []
    if "eventName" not in event:
        violations.append(Violation("eventName", "is required for Google Analytics", "missing"))
    if {"clientId", "appInstanceId"} <= event.keys():
        violations.append(Violation("", "has both clientId and appInstanceId", "both"))
    if not event.keys() & {"clientId", "appInstanceId"}:
        violations.append(Violation("", "needs clientId or appInstanceId", "missing"))
    late = zoned(3 * DAY)("eventTimestamp", event["eventTimestamp"])
    return [*violations, *(violation._replace(code="late") for violation in late)]


def _placed(index: int, violation: Violation) -> Violation:
    return violation._replace(field=f"events[{index}].{violation.field}".rstrip("."))


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    found = [
        _placed(index, violation)
        for index, each_one in enumerate(judged)
        for violation in each_one.violations
        if not violation.warning
    ]
    if found:
        return _invalid(found)
    if _validates(received):
        return _answers.reply("validated")
    request_id = uuid.uuid4().hex
    late = sum(bool(each_one.violations) for each_one in judged)
    remember(
        received.state.receipts, request_id, [received.body["destinations"], len(judged), late, 0]
    )
    return _answers.reply("taken", request_id=request_id)


def _validates(received: Received) -> bool:
    return received.body.get("validateOnly") is True


def _status(received: Received) -> Reply:
    """Tell what became of a request: still at work at first, counts from then on."""
    denied = _authenticate(received)
    receipt = received.state.receipts.get(received.query.get("requestId", ""))
    if denied or receipt is None:
        return denied or _answers.reply("not_found")
    destinations, events, late, asked = receipt
    receipt[3] += 1
    each = [
        {
            "destination": destination,
            "status": "FAILED" if late == events else "PARTIAL_SUCCESS",
            "count": str(events),
            "late": str(late),
        }
        for destination in destinations
    ]
    name = "processing" if not asked else "processed_in_part" if late else "processed"
    return _answers.reply(name, destination=each)


DIALECT = Dialect(
    name="google",
    routes=("/v1/events:ingest",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("transactionId", "")),
    account=lambda _event, received: "/".join(
        (
            received.body["destinations"][0]["operatingAccount"]["accountId"],
            received.body["destinations"][0]["productDestinationId"],
        )
    ),
    reply=_reply,
    answers=_answers,
    test=_validates,
    others=(
        Address("POST", "/oauth2/token", lambda received: give_token(received, _answers, "ya29.")),
        Address("GET", "/v1/requestStatus:retrieve", _status),
    ),
)
