"""Pinterest Conversions API v5: a strict schema for the request, and a verdict on each event."""

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
    boolean,
    currency,
    decimal_text,
    digest,
    each,
    has,
    integer,
    moment,
    one_of,
    pattern,
    span,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("pinterest")

_MOST, _MOST_IN_TEST = 1000, 20
_STRUCTURE = ("missing", "unknown", "type")
_NAMES = """
add_payment_info add_to_cart add_to_wishlist app_install app_open checkout contact custom
customize_product find_location initiate_checkout lead page_visit schedule search signup
start_trial submit_application subscribe view_category view_content watch_video
""".split()  # noqa: SIM905  reads better than a column of quotes

_USER: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "em",
            "ph",
            "ge",
            "db",
            "ln",
            "fn",
            "ct",
            "st",
            "zp",
            "country",
            "external_id",
            "hashed_maids",
        ),
        each(digest, least=1),
    ),
    **dict.fromkeys(("client_user_agent", "click_id", "partner_id"), text),
    "client_ip_address": address,
}
_CONTENT: dict[str, Rule] = {
    **dict.fromkeys(("id", "item_name", "item_category", "item_brand"), text),
    "item_price": decimal_text,
    "quantity": integer,
}
_CUSTOM: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "content_name",
            "content_category",
            "content_brand",
            "order_id",
            "search_string",
            "np",
            "st",
            "country",
        ),
        text,
    ),
    **dict.fromkeys(("value", "predicted_ltv"), decimal_text),
    "currency": currency,
    "content_ids": each(text),
    "contents": each(thing(_CONTENT, others="warn")),
    "num_items": integer,
    "opt_out_type": one_of("LDP"),
}
_APP = (
    "app_id",
    "app_name",
    "app_version",
    "device_brand",
    "device_carrier",
    "device_model",
    "device_type",
    "os_version",
)
_APP_INFO: dict[str, Rule] = {
    **dict.fromkeys(
        ("app_id", "app_name", "app_package_name", "app_store", "app_version", "user_agent"), text
    ),
    **dict.fromkeys(("install_time", "window_height", "window_width"), integer),
}
_event = thing(
    {
        "event_name": one_of(*_NAMES),
        "action_source": one_of("app_android", "app_ios", "web", "offline"),
        "event_time": moment(1),
        **dict.fromkeys(("event_id", "event_source_url", *_APP), text),
        "app_info": thing(_APP_INFO, others="refuse"),
        "language": pattern("[a-z]{2}", "must be a language of two letters"),
        "partner_name": pattern("direct|ss-.+", "must be direct or begin with ss-"),
        **dict.fromkeys(("opt_out", "wifi"), boolean),
        "user_data": thing(_USER, others="warn"),
        "custom_data": thing(_CUSTOM, others="warn"),
    },
    required=("event_name", "action_source", "event_time", "event_id", "user_data"),
    others="refuse",
)


def _refuse(message: str) -> Reply:
    return _answers.reply("bad_request", said=message)


def _test(received: Received) -> bool:
    return received.query.get("test", "").lower() == "true"


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    if not received.path["ad_account_id"].isdecimal():
        return _answers.reply("no_permission")
    if isinstance(received.body, dict) and set(received.body) > {"data"}:
        return _refuse("Additional properties are not allowed in the request")
    return listed(received, "data", _MOST_IN_TEST if _test(received) else _MOST, _refuse)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = list(_event("", event))
    if blocked(violations):
        return violations
    if not any(
        has(event["user_data"], *names)
        for names in (("em",), ("hashed_maids",), ("client_ip_address", "client_user_agent"))
    ):
        violations.append(
            Violation(
                "user_data",
                "needs em, hashed_maids, or client_ip_address with client_user_agent",
                "identity",
            )
        )
    if span("event_time", event["event_time"], 7 * DAY, None):
        violations.append(
            Violation(
                "event_time",
                "is more than 7 days ago; the event may not be attributed",
                "too_old",
                warning=True,
            )
        )
    return violations


def _verdict(each_one: Judged) -> dict[str, str]:
    errors, warnings = (
        "; ".join(
            f"{violation.field} {violation.message}".strip()
            for violation in each_one.violations
            if violation.warning is warning
        )
        for warning in (False, True)
    )
    return {
        "status": "failed" if errors else "processed",
        "error": errors,
        "warning": warnings,
    }


def _broken(judged: Sequence[Judged]) -> Violation | None:
    """A violation of structure, for which the whole request is refused, if there is one."""
    return next(
        (
            violation
            for each_one in judged
            for violation in each_one.violations
            if violation.code in _STRUCTURE and not violation.warning
        ),
        None,
    )


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    broken = _broken(judged)
    if broken is not None:
        return _refuse(f"Invalid request: {broken.field.rpartition('.')[2]} {broken.message}")
    failed = sum(each_one.refused is not None for each_one in judged)
    verdicts = [_verdict(each_one) for each_one in judged]
    if not failed:
        return _answers.reply("taken", count=len(judged), event=verdicts)
    processed = len(judged) - failed
    return _answers.reply("taken_in_part", count=len(judged), processed=processed, event=verdicts)


DIALECT = Dialect(
    name="pinterest",
    routes=("/v5/ad_accounts/{ad_account_id}/events",),
    authenticate=demand(bearer, _answers.reply("wrong_token")),
    events=_events,
    check=_check,
    event_id=lambda event: str(event["event_id"]),
    account=lambda event, received: f"{received.path['ad_account_id']}/{event['event_name']}",
    reply=_reply,
    answers=_answers,
    partial=lambda _received, judged: _broken(judged) is None,
    test=_test,
)
