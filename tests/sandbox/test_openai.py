from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, changed, control, now, sha

OPENAI = PLATFORMS["openai"]


def test_success_is_a_200(receiver: Receiver) -> None:
    answer = OPENAI.send(receiver, *OPENAI.good(3))
    assert (answer.status, answer.body) == (200, {})


def test_a_bad_event_is_not_located(receiver: Receiver) -> None:
    events = [OPENAI.event(0), OPENAI.event(1), OPENAI.spoiled(2)]
    answer = OPENAI.send(receiver, *events)
    assert (answer.status, answer.body) == (
        400,
        {"errors": [{"code": "invalid_event", "message": "data.amount must be an integer"}]},
    )
    assert OPENAI.send(receiver, *reversed(events)).body == answer.body
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ABSENT},
        {"type": "purchase"},
        {"type": "lead_created"},
        {"type": "custom", "data__type": "custom"},
        {"type": "custom", "data__type": "custom", "custom_event_name": "Has Spaces"},
        {"data": ABSENT},
        {"data__amount": "1250"},
        {"data__currency": ABSENT},
        {"data__contents": [{"id": "sku", "quantity": 1.5}]},
        {"timestamp_ms": now(days=7, minutes=1) * 1000},
        {"timestamp_ms": now(hours=-1) * 1000},
        {"timestamp_ms": now()},
        {"source_url": ABSENT},
        {"action_source": "website"},
        {"user__emails_sha256": ["person@example.org"]},
        {"user__email_sha256": sha("person@example.org")},
        {"user__phone_sha256": sha("+16505551212")},
        {"data__currency": "EUR", "data__amount": ABSENT},
        {"type": "lead_created", "data__type": "customer_action"},
        {"type": "app_opened", "data": {"type": "customer_action"}},
        {"type": "custom", "data": {"type": "custom"}, "custom_event_name": "Lead_created"},
        {"type": "custom", "data": {"type": "custom"}, "custom_event_name": "_quote"},
        {"user__ip_address": "nowhere"},
        {"opt_out": "no"},
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any]) -> None:
    answer = OPENAI.send(receiver, changed(OPENAI.event(1), **changes))
    assert answer.status == 400
    assert [error["code"] for error in answer.body["errors"]] == ["invalid_event"]


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp_ms": now(days=7, hours=-1) * 1000},
        {"timestamp_ms": now(minutes=-9) * 1000},
        {"type": "lead_created", "data": {"type": "customer_action"}},
        {"type": "trial_started", "data": {"type": "plan_enrollment"}},
        {"type": "custom", "custom_event_name": "quote_sent", "data": {"type": "custom"}},
        {"action_source": "offline", "source_url": ABSENT},
        {"user": ABSENT},
    ],
)
def test_it_takes(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert OPENAI.send(receiver, changed(OPENAI.event(1), **changes)).status == 200


def test_validate_only_counts_nothing(receiver: Receiver) -> None:
    assert OPENAI.send(receiver, *OPENAI.good(2), validate_only=True).status == 200
    assert OPENAI.send(receiver, OPENAI.spoiled(1), validate_only=True).status == 400
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (0, 2)
    assert OPENAI.send(receiver, OPENAI.event(1), validate_only=False).status == 200
    assert receiver.inbox.summary()["accepted"] == 1


def test_the_pixel_is_in_the_query(receiver: Receiver) -> None:
    assert OPENAI.send(receiver, OPENAI.event(1), path="/v1/events").status == 400


def test_tokens_throttles_and_sizes_have_their_shapes(receiver: Receiver) -> None:
    assert OPENAI.send(receiver, OPENAI.event(1), token="an-old-token").status == 401
    assert OPENAI.send(receiver, *[{}] * 1001).body["errors"][0]["code"] == "invalid_request"
    control(receiver, faults=[{"kind": "throttle"}])
    assert OPENAI.send(receiver, OPENAI.event(1)).status == 429
