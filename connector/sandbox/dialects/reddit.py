"""Reddit Conversions API v3.

Nothing of a batch is processed where one event is bad; the answer names the fields of the bad
ones by their position. Keys that it does not know are refused without a position.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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
from connector.sandbox.fixtures import fixtures

_answers = fixtures("reddit")

_MOST = 1000
_DATA = ("events", "test_id", "partner", "partner_version")
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

_object = partial(thing, others="refuse")
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
    "data_processing_options": _object(
        {"country": text, "region": text, "modes": each(one_of("LDU"))}
    ),
    "screen_dimensions": _object({"width": integer, "height": integer}),
}
_PRODUCT: dict[str, Rule] = {
    **dict.fromkeys(("id", "name", "category"), text),
    "quantity": integer,
    "item_price": number,
}
_event = _object(
    {
        "event_at": moment(1000, _OLDEST, _NEWEST),
        "action_source": one_of("WEBSITE", "APP", "PHYSICAL_STORE", "OTHER"),
        **dict.fromkeys(("event_source_url", "click_id"), text),
        "type": _object(
            {
                "tracking_type": one_of(*_TYPES),
                "custom_event_name": pattern(r".{1,64}", "must have 1 to 64 characters"),
            },
            required=("tracking_type",),
        ),
        "user": _object(_USER),
        "metadata": _object(
            {
                "conversion_id": text,
                "currency": currency,
                "value": number,
                "item_count": integer,
                "products": each(_object(_PRODUCT)),
            }
        ),
    },
    required=("event_at", "action_source", "type"),
)


def _authenticate(received: Received) -> Reply | None:
    if bearer(received) is None:
        return _answers.reply("no_token")
    return demand(bearer, _answers.reply("wrong_token"))(received)


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    bad = _answers.reply("bad_request")
    if not isinstance(received.body, dict) or not isinstance(received.body.get("data"), dict):
        return bad
    unknown = [name for name in received.body["data"] if name not in _DATA]
    if unknown:
        return _answers.reply("unknown_field", name=unknown[0])
    data = received._replace(body=received.body["data"])
    return listed(data, "events", _MOST, lambda _message: bad)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if violations:
        return violations
    user = event.get("user", {})
    if event["type"]["tracking_type"] == "CUSTOM" and not has(event["type"], "custom_event_name"):
        violations.append(Violation("type.custom_event_name", "is required for CUSTOM", "missing"))
    if event["action_source"] == "PHYSICAL_STORE":
        violations += [
            Violation(name, "is not of a physical store", "value")
            for name, there in (
                ("click_id", "click_id" in event),
                *((f"user.{key}", key in user) for key in ("uuid", "idfa", "aaid")),
            )
            if there
        ]
    if "click_id" not in event and not any(has(user, *names) for names in _KEYS):
        violations.append(Violation("user", "at least one match key is required", "identity"))
    return violations


def _said(violation: Violation) -> str:
    if violation.field == "event_at":
        return _SAID.get(violation.code, violation.message)
    return violation.message


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    """Refuse what cannot be read without a place, and name the place of everything else."""
    everything = [violation for each_one in judged for violation in each_one.violations]
    for violation in everything:
        if violation.code == "unknown":
            return _answers.reply("unknown_field", name=violation.field.rpartition(".")[2])
    if any(violation.code == "type" for violation in everything):
        return _answers.reply("bad_request")
    refused = [
        {"index": index, "path": each_one.refused.field, "said": _said(each_one.refused)}
        for index, each_one in enumerate(judged)
        if each_one.refused
    ]
    if refused:
        return _answers.reply("refused", count=len(refused), event=refused)
    return _answers.reply("taken", count=len(judged))


DIALECT = Dialect(
    name="reddit",
    routes=("/api/v3/pixels/{pixel}/conversion_events",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("metadata", {}).get("conversion_id", "")),
    account=lambda event, received: f"{received.path['pixel']}/{event['type']['tracking_type']}",
    reply=_reply,
    answers=_answers,
    test=lambda received: bool(received.body["data"].get("test_id")),
)
