"""TikTok Events API 2.0: HTTP 200 whatever happens; the code inside decides.

One bad event refuses the whole batch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import Dialect, Judged, Received, Reply, Violation, listed, same
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
    number,
    one_of,
    one_or_more,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("tiktok")

_MOST = 1000
_SOURCES = ("web", "app", "offline", "crm")
_USER: dict[str, Rule] = {
    **dict.fromkeys(
        ("email", "phone", "external_id", "first_name", "last_name", "zip_code"),
        one_or_more(digest),
    ),
    **dict.fromkeys(
        (
            "city",
            "state",
            "country",
            "ttclid",
            "ttp",
            "user_agent",
            "locale",
            "idfa",
            "idfv",
            "gaid",
            "att_status",
        ),
        text,
    ),
    "ip": address,
}
_CONTENT: dict[str, Rule] = {
    **dict.fromkeys(("content_id", "content_name", "content_category", "brand"), text),
    "price": number,
    "quantity": integer,
    "content_type": one_of("product", "product_group"),
}
_PROPERTIES: dict[str, Rule] = {
    **dict.fromkeys(("order_id", "shop_id", "query", "search_string", "description"), text),
    "contents": each(thing(_CONTENT)),
    "content_type": one_of("product", "product_group"),
    "content_ids": each(text),
    "currency": currency,
    "value": number,
    "num_items": integer,
}
_AD: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "callback",
            "campaign_id",
            "ad_id",
            "creative_id",
            "attribution_type",
            "attribution_provider",
        ),
        text,
    ),
    **dict.fromkeys(("is_retargeting", "attributed"), boolean),
}
_event = thing(
    {
        "event": text,
        "event_time": moment(1, 28 * DAY),
        "event_id": text,
        "user": thing(_USER),
        "properties": thing(_PROPERTIES),
        "page": thing({"url": text, "referrer": text}),
        "lead": thing({"lead_id": text, "lead_event_source": text}),
        "ad": thing(_AD),
        **dict.fromkeys(("app", "device"), thing({})),
        **dict.fromkeys(("limited_data_use", "limit_data_use_for_advertising"), boolean),
    },
    required=("event", "event_time"),
)
_envelope = thing(
    {
        "event_source": one_of(*_SOURCES),
        "event_source_id": text,
        "partner_name": text,
        "test_event_code": text,
    },
    required=("event_source", "event_source_id"),
)


def _authenticate(received: Received) -> Reply | None:
    token = received.headers.get("access-token")
    if not token:
        return _answers.reply("no_token")
    if not re.fullmatch(r"[\w.~-]+", token):
        return _answers.reply("bogus_token")
    if not same(token, received.state.secrets.token):
        return _answers.reply("wrong_token")
    return None


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    for violation in _envelope("", received.body):
        return _answers.reply("refused", said=f"{violation.field}: {violation.message}")
    return listed(received, "data", _MOST, lambda message: _answers.reply("refused", said=message))


def _check(event: dict[str, Any], received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if not violations and received.body["event_source"] != "crm" and "user" not in event:
        return [Violation("user", "is required", "missing")]
    if (
        not violations
        and received.body["event_source"] == "web"
        and not has(event.get("page", {}), "url")
    ):
        return [Violation("page.url", "is required when event_source is web", "missing")]
    source = received.body["event_source"]
    people = ("email", "phone", "external_id")
    if (
        not violations
        and source == "offline"
        and not any(has(event["user"], key) for key in people)
    ):
        return [Violation("user", "needs email, phone or external_id", "missing")]
    if (
        not violations
        and source == "crm"
        and not has(event.get("lead", {}), "lead_id", "lead_event_source")
    ):
        return [Violation("lead.lead_id", "is required when event_source is crm", "missing")]
    return violations


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    """Name the first bad event alone."""
    for index, each_one in enumerate(judged):
        violation = each_one.refused
        if violation is None:
            continue
        path = re.sub(r"\[(\d+)\]", r".\1", violation.field)
        if violation.code == "type":
            expected = violation.message.split()[-1]
            return _answers.reply("refused_type", index=index, path=path, type=expected)
        if path:
            return _answers.reply("refused_value", index=index, path=path, said=violation.message)
        return _answers.reply("refused", said=f"data.{index}: {violation.message}")
    return _answers.reply("taken")


DIALECT = Dialect(
    name="tiktok",
    routes=("/open_api/v1.3/event/track/",),
    authenticate=_authenticate,
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("event_id", "")),
    account=lambda event, received: f"{received.body['event_source_id']}/{event['event']}",
    reply=_reply,
    answers=_answers,
    test=lambda received: bool(received.body.get("test_event_code")),
)
