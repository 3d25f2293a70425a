"""OpenAI Ads Conversions API.

One bad event refuses the whole batch, and the answer does not say which.
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
    boolean,
    currency,
    digest,
    each,
    has,
    integer,
    moment,
    one_of,
    pattern,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("openai")

_MOST = 1000
_DATA_OF = {
    **dict.fromkeys(
        ("page_viewed", "contents_viewed", "items_added", "checkout_started", "order_created"),
        "contents",
    ),
    **dict.fromkeys(
        (
            "lead_created",
            "registration_completed",
            "appointment_scheduled",
            "app_installed",
            "app_opened",
        ),
        "customer_action",
    ),
    **dict.fromkeys(("subscription_created", "trial_started"), "plan_enrollment"),
    "custom": "custom",
}
_USER: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "emails_sha256",
            "phone_numbers_sha256",
            "external_ids_sha256",
            "first_names_sha256",
            "last_names_sha256",
        ),
        each(digest, least=1),
    ),
    "countries": each(pattern("[A-Za-z]{2}", "must be a country of two letters"), least=1),
    **dict.fromkeys(
        ("cities", "regions"), each(pattern(".{1,128}", "must have 1 to 128 characters"), least=1)
    ),
    "postal_codes": each(
        pattern("[A-Za-z0-9 -]{1,32}", "must be letters, digits, spaces and hyphens"), least=1
    ),
    **dict.fromkeys(("user_agent", "obref"), text),
    "android_advertising_id": pattern(
        r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "must be a UUID"
    ),
    "ip_address": address,
}
_CONTENT: dict[str, Rule] = {
    **dict.fromkeys(("id", "group_id", "name", "content_type"), text),
    "quantity": integer,
    "amount": integer,
    "currency": currency,
}
_event = thing(
    {
        **dict.fromkeys(("id", "oppref", "source_url"), text),
        "type": one_of(*_DATA_OF),
        "timestamp_ms": moment(1000, 7 * DAY, 600),
        "action_source": one_of(
            "web", "mobile_app", "offline", "physical_store", "phone_call", "email", "other"
        ),
        "custom_event_name": pattern(
            "(?i)[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", "must be 1 to 64 of a-z, 0-9, _ and -"
        ),
        "opt_out": boolean,
        "user": thing(_USER, others="refuse"),
        "data": thing(
            {
                "type": one_of(*dict.fromkeys(_DATA_OF.values())),
                "amount": integer,
                "currency": currency,
                "contents": each(thing(_CONTENT)),
            },
            required=("type",),
        ),
    },
    required=("id", "type", "timestamp_ms", "action_source", "data"),
)


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    if not received.query.get("pid"):
        return _answers.reply("bad_request", said="the query parameter pid is required")
    return listed(
        received, "events", _MOST, lambda message: _answers.reply("bad_request", said=message)
    )


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if violations:
        return violations
    data = event["data"]
    if event["action_source"] == "web" and not has(event, "source_url"):
        violations.append(Violation("source_url", "is required for web", "missing"))
    if event["type"] == "custom" and not has(event, "custom_event_name"):
        violations.append(Violation("custom_event_name", "is required for custom", "missing"))
    if data["type"] != _DATA_OF[event["type"]]:
        violations.append(
            Violation(
                "data.type", f"must be {_DATA_OF[event['type']]} for {event['type']}", "value"
            )
        )
    if has(data, "amount") != has(data, "currency"):
        violations.append(Violation("data.currency", "goes with amount", "missing"))
    if data["type"] == "customer_action" and has(data, "contents"):
        violations.append(Violation("data.contents", "is not of customer_action", "unknown"))
    name = event.get("custom_event_name")
    if name is not None and (event["type"] != "custom" or name.lower() in _DATA_OF):
        violations.append(Violation("custom_event_name", "is no custom name", "value"))
    in_app = event["action_source"] == "mobile_app"
    if event["type"] in ("app_installed", "app_opened") and not in_app:
        violations.append(Violation("action_source", "must be mobile_app", "value"))
    return violations


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    said = {
        f"{each_one.refused.field} {each_one.refused.message}".strip()
        for each_one in judged
        if each_one.refused
    }
    if not said:
        return _answers.reply("taken")
    return _answers.reply("refused", error=[{"said": message} for message in sorted(said)])


DIALECT = Dialect(
    name="openai",
    routes=("/v1/events",),
    authenticate=demand(bearer, _answers.reply("wrong_token")),
    events=_events,
    check=_check,
    event_id=lambda event: event["id"],
    account=lambda event, received: f"{received.query['pid']}/{event['type']}",
    reply=_reply,
    answers=_answers,
    test=lambda received: received.body.get("validate_only") is True,
)
