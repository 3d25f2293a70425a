"""Meta Conversions API: one bad event refuses the batch, and the answer does not say which."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import (
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    bearer,
    listed,
    same,
)
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    address,
    boolean,
    digest,
    each,
    has,
    integer,
    moment,
    number,
    one_of,
    one_or_more,
    pattern,
    rule,
    span,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("meta")

_MOST = 1000
_USELESS = (
    {"ct", "country", "st", "zp", "ge", "client_user_agent"},
    {"db", "client_user_agent"},
    {"fn", "ge"},
    {"ln", "ge"},
)
_STATES = (0, *range(1000, 1014))

_hashed = one_or_more(digest)
_currency = pattern("[A-Za-z]{3}", "must be an ISO 4217 code")
_USER: dict[str, Rule] = {
    **dict.fromkeys(("em", "ph", "fn", "ln", "db", "ge", "ct", "st", "zp", "country"), _hashed),
    **dict.fromkeys(
        (
            "client_user_agent",
            "subscription_id",
            "anon_id",
            "madid",
            "page_id",
            "page_scoped_user_id",
            "ctwa_clid",
            "whatsapp_business_account_id",
        ),
        text,
    ),
    "external_id": one_or_more(text),
    "client_ip_address": address,
    "fbc": pattern(r"fb\.[012]\.\d+\..+", "must be fb.1.<milliseconds>.<fbclid>"),
    "fbp": pattern(r"fb\.[012]\.\d+\.\d+(\..{2}|\..{8})?", "must be fb.1.<milliseconds>.<random>"),
    "fb_login_id": integer,
    "lead_id": integer,
}
_CONTENT: dict[str, Rule] = {
    "id": text,
    "quantity": integer,
    "item_price": number,
    "delivery_category": one_of("in_store", "curbside", "home_delivery"),
}
_CUSTOM: dict[str, Rule] = {
    **dict.fromkeys(("value", "predicted_ltv", "net_revenue"), number),
    **dict.fromkeys(("content_type", "order_id", "search_string", "status"), text),
    "currency": _currency,
    "content_ids": each(text),
    "contents": each(thing(_CONTENT)),
    "num_items": integer,
}
_extinfo = each(pattern(".*", "must be a text"), least=16, most=16)
_tracking = rule(lambda value: value in (0, 1), "must be 0 or 1", "value")
_event = thing(
    {
        "app_data": thing(
            {
                "advertiser_tracking_enabled": _tracking,
                "application_tracking_enabled": _tracking,
                "extinfo": _extinfo,
            },
            required=("advertiser_tracking_enabled", "extinfo"),
        ),
        **dict.fromkeys(("event_name", "event_id", "event_source_url", "referrer_url"), text),
        "event_time": moment(1),
        "action_source": one_of(
            "email",
            "website",
            "app",
            "phone_call",
            "chat",
            "physical_store",
            "system_generated",
            "business_messaging",
            "other",
        ),
        "user_data": thing(_USER),
        "custom_data": thing(_CUSTOM),
        "messaging_channel": one_of("whatsapp", "messenger", "instagram"),
        "opt_out": boolean,
        "data_processing_options": each(one_of("LDU")),
        "data_processing_options_country": integer,
        "data_processing_options_state": integer,
    },
    required=("event_name", "event_time", "action_source", "user_data"),
)


def _authenticate(received: Received) -> Reply | None:
    secrets = received.state.secrets
    given = (
        {**received.query, **received.body} if isinstance(received.body, dict) else received.query
    )
    token = given.get("access_token") or bearer(received)
    if token is None:
        return _answers.reply("no_token")
    if not same(token, secrets.token):
        return _answers.reply("wrong_token")
    if secrets.app_secret:
        proof = hmac.new(
            secrets.app_secret.encode(), str(token).encode(), hashlib.sha256
        ).hexdigest()
        if "appsecret_proof" not in given:
            return _answers.reply("no_proof")
        if not same(given["appsecret_proof"], proof):
            return _answers.reply("wrong_proof")
    return None


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    pixel = received.path["pixel"]
    if not pixel.isdecimal():
        return _answers.reply("no_pixel", pixel=pixel)
    agent = received.body.get("partner_agent", "ok") if isinstance(received.body, dict) else "ok"
    if not isinstance(agent, str) or len(agent) >= 23 or sum(map(str.isalpha, agent)) < 2:
        said = "partner_agent must have fewer than 23 characters, two of them letters"
        return _answers.reply("bad_request", said=said)
    return listed(
        received, "data", _MOST, lambda message: _answers.reply("bad_request", said=message)
    )


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if violations:
        return violations
    user, custom = event["user_data"], event.get("custom_data", {})
    if any(set(user) <= useless for useless in _USELESS):
        violations.append(Violation("user_data", "has too little to match a person", "identity"))
    if event["action_source"] == "website":
        violations += [
            Violation(name, "is required for the website", "missing")
            for name in ("event_source_url",)
            if name not in event
        ]
        violations += [
            Violation(f"user_data.{name}", "is required for the website", "missing")
            for name in ("client_user_agent",)
            if name not in user
        ]
    if event["action_source"] == "app" and not has(event, "app_data"):
        violations.append(Violation("app_data", "is required for the app", "missing"))
    if event["action_source"] == "system_generated" and has(user, "lead_id"):
        violations += [
            Violation(f"custom_data.{name}", "is required for a lead of a CRM", "missing")
            for name in ("event_source", "lead_event_source")
            if name not in custom
        ]
    if event["event_name"] == "Purchase" and not has(custom, "value", "currency"):
        violations.append(
            Violation("custom_data", "needs value and currency for Purchase", "no_value")
        )
    if (
        event.get("data_processing_options_country", 0) not in (0, 1)
        or event.get("data_processing_options_state", 0) not in _STATES
    ):
        violations.append(
            Violation("data_processing_options_state", "must be a known country and state", "value")
        )
    days = 62 if event["action_source"] == "physical_store" else 7
    return [*violations, *span("event_time", event["event_time"], days * DAY, None)]


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    violation = next(filter(None, (each.refused for each in judged)), None)
    if violation is None:
        return _answers.reply("taken", count=len(judged))
    if violation.code in ("too_old", "no_value", "identity"):
        return _answers.reply(violation.code)
    name = violation.field.partition("[")[0]
    return _answers.reply("invalid", said=f"{name} {violation.message}".strip())


DIALECT = Dialect(
    name="meta",
    routes=("/v{version:float}/{pixel}/events",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("event_id", "")),
    account=lambda event, received: f"{received.path['pixel']}/{event['event_name']}",
    reply=_reply,
    answers=_answers,
)
"""A request with a test_event_code counts like any other: that is what Meta does."""
