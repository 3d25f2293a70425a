"""Reddit Conversions API v3.

Nothing of a batch is processed where one event is bad, and the bad ones are echoed.
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
    currency,
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
_OLDEST, _NEWEST = 7 * DAY, 300.0
_TYPES = (
    "PAGE_VISIT",
    "VIEW_CONTENT",
    "SEARCH",
    "ADD_TO_CART",
    "ADD_TO_WISHLIST",
    "PURCHASE",
    "LEAD",
    "SIGN_UP",
    "CUSTOM",
)
_SAID = {
    "too_old": "event_at timestamp must be less than 168h0m0s old",
    "future": "event_at timestamp must not be more than 5m0s in the future",
    "unit": "event_at timestamp must be in milliseconds",
}
_KEYS = (
    ("email",),
    ("phone_number",),
    ("external_id",),
    ("uuid",),
    ("idfa",),
    ("aaid",),
    ("ip_address", "user_agent"),
)

_USER: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "email",
            "phone_number",
            "external_id",
            "ip_address",
            "user_agent",
            "idfa",
            "aaid",
            "uuid",
        ),
        text,
    ),
    "data_processing_options": thing(
        {"country": text, "region": text, "modes": each(one_of("LDU"))}
    ),
    "screen_dimensions": thing({"width": integer, "height": integer}),
}
_PRODUCT: dict[str, Rule] = {
    **dict.fromkeys(("id", "name", "category"), text),
    "quantity": integer,
    "item_price": number,
}
_event = thing(
    {
        "event_at": moment(1000, _OLDEST, _NEWEST),
        "action_source": one_of("WEBSITE", "APP", "PHYSICAL_STORE", "OTHER"),
        **dict.fromkeys(("event_source_url", "click_id"), text),
        "type": thing(
            {
                "tracking_type": one_of(*_TYPES),
                "custom_event_name": pattern(r".{1,64}", "must have 1 to 64 characters"),
            },
            required=("tracking_type",),
        ),
        "user": thing(_USER),
        "metadata": thing(
            {
                "conversion_id": text,
                "currency": currency,
                "value": number,
                "item_count": integer,
                "products": each(thing(_PRODUCT)),
            }
        ),
    },
    required=("event_at", "action_source", "type"),
)


def _error(status: int, reason: str, explanation: str) -> Reply:
    return Reply(
        status, {"success": False, "error": {"reason": reason, "explanation": explanation}}
    )


def _authenticate(received: Received) -> Reply | None:
    if "authorization" not in received.headers:
        return Reply(401, b"Authorization Required", {"Content-Type": "text/plain"})
    return demand(
        bearer,
        _error(
            401,
            "UNAUTHORIZED",
            "This server could not verify that you are authorized to access the document you"
            " requested.",
        ),
    )(received)


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    data = received.body.get("data") if isinstance(received.body, dict) else None
    if not isinstance(data, dict):
        return Reply(400, {"message": "data must be an object with events"})
    return listed(
        received._replace(body=data),
        "events",
        _MOST,
        lambda message: Reply(400, {"message": message}),
    )


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if violations:
        return violations
    user = event.get("user", {})
    if event["type"]["tracking_type"] == "CUSTOM" and not has(event["type"], "custom_event_name"):
        violations.append(Violation("type.custom_event_name", "is required for CUSTOM", "missing"))
    if "click_id" not in event and not any(has(user, *names) for names in _KEYS):
        violations.append(Violation("user", "at least one match key is required", "identity"))
    return violations


def _said(violation: Violation) -> str:
    return (
        _SAID[violation.code]
        if violation.field == "event_at" and violation.code in _SAID
        else f"{violation.field} {violation.message}".strip()
    )


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    if any(violation.code == "type" for each_one in judged for violation in each_one.violations):
        return _error(
            403, "FORBIDDEN", "The request body does not have the types that were expected."
        )
    invalid = [
        {"error_message": _said(each_one.refused), "event": each_one.event}
        for each_one in judged
        if each_one.refused
    ]
    if invalid:
        return Reply(
            400,
            {
                "message": f"There were {len(invalid)} invalid conversion events."
                " None were processed.",
                "invalid_events": invalid,
            },
        )
    return Reply(200, {"message": f"Successfully processed {len(judged)} conversion events."})


DIALECT = Dialect(
    name="reddit",
    routes=("/api/v3/pixels/{pixel}/conversion_events",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("metadata", {}).get("conversion_id", "")),
    account=lambda event, received: f"{received.path['pixel']}/{event['type']['tracking_type']}",
    reply=_reply,
    throttled=_error(429, "TOO_MANY_REQUESTS", "You have exceeded the rate limit."),
    test=lambda received: bool(received.body["data"].get("test_id")),
)
