"""Snapchat Conversions API v3, with its twin that only validates and says which events are bad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import Dialect, Judged, Received, Reply, Violation, demand, listed
from connector.sandbox.dialects.shapes import (
    DAY,
    Rule,
    address,
    boolean,
    currency,
    decimal_text,
    digest,
    each,
    either,
    has,
    integer,
    moment,
    number,
    one_of,
    one_or_more,
    pattern,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("snapchat")

_MOST = 2000
_VALIDATE = "/v3/{pixel}/events/validate"
_NAMES = """
PURCHASE SAVE START_CHECKOUT ADD_CART VIEW_CONTENT ADD_BILLING SIGN_UP SEARCH PAGE_VIEW
SUBSCRIBE AD_CLICK AD_VIEW COMPLETE_TUTORIAL LEVEL_COMPLETE INVITE LOGIN SHARE RESERVE
ACHIEVEMENT_UNLOCKED ADD_TO_WISHLIST SPENT_CREDITS RATE START_TRIAL LIST_VIEW APP_INSTALL
APP_OPEN CUSTOM_EVENT_1 CUSTOM_EVENT_2 CUSTOM_EVENT_3 CUSTOM_EVENT_4 CUSTOM_EVENT_5
""".split()  # noqa: SIM905  reads better than a column of quotes

_maid = pattern(r"[0-9a-f-]{16,36}", "must be in lower case, with hyphens")
_amount = either(number, decimal_text)
_USER: dict[str, Rule] = {
    **dict.fromkeys(
        ("em", "ph", "fn", "ln", "ge", "ct", "st", "zp", "country"), each(digest, least=1)
    ),
    **dict.fromkeys(("mobile_ad_id", "madid"), one_or_more(_maid)),
    **dict.fromkeys(("client_user_agent", "sc_click_id", "sc_cookie1", "idfv"), text),
    "external_id": one_or_more(text),
    "client_ip_address": address,
}
_CUSTOM: dict[str, Rule] = {
    **dict.fromkeys(("order_id", "search_string", "sign_up_method", "status"), text),
    **dict.fromkeys(("content_ids", "content_category"), one_or_more(text)),
    "currency": currency,
    "value": _amount,
    "contents": each(thing({})),
    "num_items": integer,
}
_event = thing(
    {
        "event_name": one_of(*_NAMES),
        "event_time": either(moment(1, 37 * DAY), moment(1000, 37 * DAY)),
        "action_source": one_of("WEB", "OFFLINE", "MOBILE_APP"),
        **dict.fromkeys(("event_id", "event_source_url", "integration"), text),
        "user_data": thing(_USER),
        "custom_data": thing(_CUSTOM),
        "app_data": thing(
            {"app_id": text, "extinfo": each(pattern(".*", "must be a text"), least=16, most=16)}
        ),
        "data_processing_options": each(text),
        "opt_out": boolean,
    },
    required=("event_name", "event_time", "action_source", "user_data"),
)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if violations:
        return violations
    user, custom = event["user_data"], event.get("custom_data", {})
    if event["action_source"] == "WEB" and not has(event, "event_source_url"):
        return [Violation("event_source_url", "is required for WEB", "missing")]
    if event["event_name"] == "PURCHASE" and not has(custom, "value", "currency"):
        return [Violation("custom_data", "needs value and currency for PURCHASE", "missing")]
    if not any(
        has(user, *names)
        for names in (
            ("em",),
            ("ph",),
            ("mobile_ad_id",),
            ("madid",),
            ("client_ip_address", "client_user_agent"),
        )
    ):
        return [
            Violation(
                "user_data",
                "needs em, ph, mobile_ad_id, or client_ip_address with client_user_agent",
                "identity",
            )
        ]
    return []


def _code(violation: Violation) -> str:
    return "507" if violation.code == "identity" else "400"


def _said(violation: Violation) -> str:
    return f"{violation.field} {violation.message}".strip()


def _reply(received: Received, judged: Sequence[Judged]) -> Reply:
    refusals = [each_one.refused for each_one in judged]
    if received.route == _VALIDATE:
        logs = [
            {
                "index": index,
                "status": "INVALID" if refusal else "VALID",
                "codes": [_code(refusal)] if refusal else [],
                "said": [_said(refusal)] if refusal else [],
            }
            for index, refusal in enumerate(refusals)
        ]
        return _answers.reply("validated_some" if any(refusals) else "validated", event=logs)
    for index, refusal in enumerate(refusals):
        if refusal:
            code, said = _code(refusal), _said(refusal)
            return _answers.reply("refused", code=code, said=said, index=index)
    return _answers.reply("taken")


DIALECT = Dialect(
    name="snapchat",
    routes=("/v3/{pixel}/events", _VALIDATE),
    authenticate=demand(
        lambda received: received.query.get("access_token"),
        _answers.reply("wrong_token"),
    ),
    events=lambda received: listed(
        received, "data", _MOST, lambda message: _answers.reply("bad_request", said=message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("event_id", "")),
    account=lambda _event, received: received.path["pixel"],
    reply=_reply,
    answers=_answers,
    test=lambda received: received.route == _VALIDATE,
)
