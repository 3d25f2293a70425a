"""Taboola's bulk edge answers 204 whatever comes; the receiver's own books say what was bad."""

from __future__ import annotations

from typing import Any

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import Answer, call, control, ids, now

GOOD = {
    "click-id": "GiDxLZcEVjwEqkGfKQMQndUYMIeZXFHmZ0DrHIJhGS6kKiDzkGUos9GzkpqG",
    "timestamp": now(hours=1) * 1000,
    "name": "purchase",
    "revenue": 10.5,
    "currency": "USD",
    "quantity": 1,
    "orderid": "o-1",
}
"""Source: developers.taboola.com/pixel/docs/bulk-submit-s2s-conversions."""


def send(receiver: Receiver, *actions: Any) -> Answer:
    return call("POST", f"{receiver.url}/123/log/3/bulk-s2s-action", {"actions": list(actions)})


def test_everything_is_answered_with_204_and_what_is_bad_does_not_count(
    receiver: Receiver,
) -> None:
    seconds = {**GOOD, "timestamp": now(), "orderid": "o-2"}
    answer = send(receiver, GOOD, {**GOOD, "click-id": "short"}, seconds, {"name": "x"})
    assert (answer.status, answer.body) == (204, "")
    assert set(ids(receiver)) == {"taboola/123/o-1"}
    assert receiver.inbox.summary()["refused"] == 3


def test_a_body_that_is_none_is_refused(receiver: Receiver) -> None:
    assert send(receiver).status == 400
    assert send(receiver, *[GOOD] * 1001).status == 400
    assert send(receiver, *[GOOD] * 1000).status == 204


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    assert send(receiver, GOOD).status == 429
