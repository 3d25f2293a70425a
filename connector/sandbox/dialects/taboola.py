"""Taboola's bulk conversions: 204 whatever the conversions hold.

What could never be counted is refused all the same in the receiver's own books, so that a
rehearsal shows what Taboola would not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import Dialect, Judged, Received, Reply, Violation, listed
from connector.sandbox.dialects.shapes import (
    currency,
    integer,
    moment,
    number,
    pattern,
    text,
    thing,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("taboola")

_MOST = 1000

_event = thing(
    {
        "click-id": pattern(r"[A-Za-z0-9_-]{60,512}", "cannot be parsed"),
        "timestamp": moment(1000),
        "name": text,
        "revenue": number,
        "currency": currency,
        "quantity": integer,
        "orderid": text,
    },
    required=("click-id", "timestamp", "name"),
    others="warn",
)


def _check(event: dict[str, Any], _received: Received) -> Sequence[Violation]:
    return _event("", event)


def _reply(_received: Received, _judged: Sequence[Judged]) -> Reply:
    return _answers.reply("taken")


DIALECT = Dialect(
    name="taboola",
    routes=("/{account}/log/3/bulk-s2s-action",),
    authenticate=lambda _received: None,
    events=lambda received: listed(
        received, "actions", _MOST, lambda message: _answers.reply("bad_request", said=message)
    ),
    check=_check,
    event_id=lambda event: str(event.get("orderid", "")),
    account=lambda _event, received: received.path["account"],
    reply=_reply,
    answers=_answers,
    partial=lambda _received, _judged: True,
)
