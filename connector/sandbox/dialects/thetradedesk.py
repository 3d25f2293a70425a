"""The Trade Desk's real-time conversions: a refused request names its bad events, and takes none.

Whether it takes the others is not published; the receiver does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import Dialect, Judged, Received, Reply, Violation, listed
from connector.sandbox.dialects.shapes import (
    address,
    currency,
    decimal_text,
    each,
    has,
    one_of,
    pattern,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("thetradedesk")

_MOST = 100
_ERRORS = {"privacy": "InvalidPrivacySetting", "missing": "MissingRequiredField"}

_policies = each(one_of("LDU"), least=1, most=1)
_event = thing(
    {
        **dict.fromkeys(
            ("adv", "tracker_id", "upixel_id", "merchant_id", "event_name", "order_id"), text
        ),
        **dict.fromkeys(("adid", "imp", "uid2_token", "referrer_url"), text),
        **{f"td{number}": text for number in range(1, 11)},
        "value": decimal_text,
        "currency": currency,
        "adid_type": one_of("TDID", "IDFA", "AAID", "DAID", "NAID", "IDL", "EUID", "UID2"),
        "client_ip": address,
        "items": each(
            thing(
                {
                    **dict.fromkeys(("item_code", "name", "cat"), text),
                    **dict.fromkeys(("qty", "price"), decimal_text),
                }
            )
        ),
        "data_processing_option": thing(
            {
                "policies": _policies,
                "region": pattern(r"[a-z]{2}-[a-z0-9]{1,30}", "must look like us-ca"),
            },
            required=("policies",),
        ),
        "privacy_settings": each(thing({"privacy_type": text, "consent_string": text})),
    },
    required=("adv", "event_name"),
)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    violations = _event("", event)
    if violations:
        return violations
    if not any(has(event, name) for name in ("tracker_id", "upixel_id")):
        return [Violation("tracker_id", "or upixel_id is required", "missing")]
    if has(event, "adid") != has(event, "adid_type"):
        return [Violation("adid_type", "goes with adid", "missing")]
    if not any(has(event, name) for name in ("adid", "imp", "uid2_token")):
        return [Violation("adid", "is required, or imp, or uid2_token", "missing")]
    if event["event_name"] == "purchase" and not has(event, "currency"):
        return [Violation("currency", "is required for purchase", "missing")]
    return []


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    refused = [
        {
            "index": index,
            "code": _ERRORS.get(
                "privacy" if refusal.field.startswith("data_processing") else refusal.code,
                "InvalidField",
            ),
            "said": f"{refusal.field} {refusal.message}",
        }
        for index, each_one in enumerate(judged)
        if (refusal := each_one.refused) is not None
    ]
    return _answers.reply("refused", event=refused) if refused else _answers.reply("taken")


DIALECT = Dialect(
    name="thetradedesk",
    routes=("/track/realtimeconversion",),
    authenticate=lambda _received: None,
    events=lambda received: listed(
        received, "data", _MOST, lambda message: _answers.reply("bad_request", said=message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("order_id", "")),
    account=lambda event, _received: str(event.get("adv", "")),
    reply=_reply,
    answers=_answers,
)
