"""Microsoft UET Conversions API.

Where the request asks for it, the good events of a batch are taken, inside a 200 with errors.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import (
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    bearer,
    demand,
    listed,
)
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    address,
    blocked,
    currency,
    digest,
    each,
    has,
    integer,
    moment,
    number,
    one_of,
    pattern,
    text,
    thing,
)

_MOST = 1000
_IDENTITY = {
    "anonymousId",
    "externalId",
    "em",
    "ph",
    "msclkid",
    "clientIpAddress",
    "clientUserAgent",
    "idfa",
    "gaid",
}
_CODES = {
    "missing": "MissingProperty",
    "unknown": "UnknownProperty",
    "type": "InvalidType",
    "too_old": "EventTooOld",
    "identity": "MissingUserData",
}

_uuid = pattern(r"(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", "must be a UUID")
_USER: dict[str, Rule] = {
    **dict.fromkeys(("anonymousId", "externalId", "clientUserAgent", "idfa", "gaid"), text),
    **dict.fromkeys(("em", "ph"), digest),
    "msclkid": _uuid,
    "clientIpAddress": address,
}
_CUSTOM: dict[str, Rule] = {
    **dict.fromkeys(
        ("eventCategory", "eventLabel", "searchTerm", "transactionId", "ecommCategory"), text
    ),
    **dict.fromkeys(("eventValue", "value", "ecommTotalValue"), number),
    "currency": currency,
    "items": each(
        thing({"id": text, "name": text, "price": number, "quantity": integer}, others="warn")
    ),
    "itemIds": each(text),
    "pageType": one_of("home", "product", "category", "searchresults", "cart", "purchase", "other"),
    "hotelData": thing({}),
}
_event = thing(
    {
        "eventType": one_of("pageLoad", "custom"),
        "eventTime": moment(1, 7 * DAY),
        **dict.fromkeys(
            ("eventName", "eventSourceUrl", "eventId", "referrerUrl", "pageTitle", "keywords"), text
        ),
        "pageLoadId": _uuid,
        "adStorageConsent": one_of("G", "D"),
        "userData": thing(_USER, others="warn"),
        "customData": thing(_CUSTOM, others="warn"),
    },
    required=("eventType", "eventTime", "userData"),
    others="warn",
)


def _error(status: int, code: str, message: str, details: Sequence[dict[str, Any]] = ()) -> Reply:
    return Reply(
        status,
        {
            "error": {"code": code, "message": message, "details": list(details)},
            "traceId": uuid.uuid4().hex,
        },
    )


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if blocked(violations):
        return violations
    needed = "eventName" if event["eventType"] == "custom" else "eventSourceUrl"
    if not has(event, needed):
        violations.append(Violation(needed, f"is required for {event['eventType']}", "missing"))
    if not event["userData"].keys() & _IDENTITY:
        violations.append(
            Violation("userData", f"needs one of {', '.join(sorted(_IDENTITY))}", "identity")
        )
    return violations


def _continues(received: Received) -> bool:
    return received.body.get("continueOnValidationError") is True


def _detail(index: int, violation: Violation) -> dict[str, Any]:
    return {
        "index": index,
        "propertyName": f"data[{index}]" + (f".{violation.field}" if violation.field else ""),
        "errorMessage": violation.message,
        "errorCode": _CODES.get(violation.code, "InvalidValue"),
        "isWarning": violation.warning,
    }


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    details = [
        _detail(index, violation)
        for index, each_one in enumerate(judged)
        for violation in each_one.violations
    ]
    refused = sum(each_one.refused is not None for each_one in judged)
    if refused and not _continues(received):
        return _error(400, "BadRequest", "One or more events are not valid.", details)
    taken: dict[str, Any] = {"eventsReceived": len(judged) - refused}
    return Reply(200, {**taken, "error": {"details": details}} if details else taken)


DIALECT = Dialect(
    name="microsoft",
    routes=("/v1/{tag}/events",),
    authenticate=demand(
        bearer, _error(401, "Unauthorized", "The token is not valid for this tag.")
    ),
    events=lambda received: listed(
        received, "data", _MOST, lambda message: _error(400, "BadRequest", message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("eventId", "")),
    account=lambda event, received: (
        f"{received.path['tag']}/{event.get('eventName', event['eventType'])}"
    ),
    reply=_reply,
    throttled=_error(429, "TooManyRequests", "Too many requests."),
    partial=lambda received, _judged: _continues(received),
)
