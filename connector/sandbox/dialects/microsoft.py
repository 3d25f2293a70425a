"""Microsoft UET Conversions API.

Where the request asks for it, the good events of a batch are taken, inside a 200 with errors.
"""

from __future__ import annotations

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
from connector.sandbox.fixtures import fixtures

_answers = fixtures("microsoft")

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
_day = pattern(r"\d{4}-\d{2}-\d{2}", "must be YYYY-MM-DD")
_HOTEL: dict[str, Rule] = {
    **dict.fromkeys(("totalPrice", "basePrice"), number),
    **dict.fromkeys(("checkInDate", "checkOutDate"), _day),
    "lengthOfStay": integer,
    **dict.fromkeys(("partnerHotelId", "bookingHref"), text),
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
    "hotelData": thing(_HOTEL, others="warn"),
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
        "path": f"data[{index}]" + (f".{violation.field}" if violation.field else ""),
        "said": violation.message,
        "code": _CODES.get(violation.code, "InvalidValue"),
        "warning": violation.warning,
    }


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    details = [
        _detail(index, violation)
        for index, each_one in enumerate(judged)
        for violation in each_one.violations
    ]
    refused = sum(each_one.refused is not None for each_one in judged)
    if refused and not _continues(received):
        return _answers.reply("refused", detail=details)
    taken = len(judged) - refused
    if not details:
        return _answers.reply("taken", count=taken)
    name = "taken_in_part" if refused else "taken_with_warnings"
    return _answers.reply(name, count=taken, detail=details)


DIALECT = Dialect(
    name="microsoft",
    routes=("/v1/{tag}/events",),
    authenticate=demand(bearer, _answers.reply("wrong_token")),
    events=lambda received: listed(
        received, "data", _MOST, lambda message: _answers.reply("bad_request", said=message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("eventId", "")),
    account=lambda event, received: (
        f"{received.path['tag']}/{event.get('eventName', event['eventType'])}"
    ),
    reply=_reply,
    answers=_answers,
    partial=lambda received, _judged: _continues(received),
)
