from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, changed, control, now

REDDIT = PLATFORMS["reddit"]


def test_success_is_a_sentence(receiver: Receiver) -> None:
    answer = REDDIT.send(receiver, *REDDIT.good(3))
    assert (answer.status, answer.body) == (
        200,
        {"message": "Successfully processed 3 conversion events."},
    )


def test_bad_events_are_echoed_and_none_is_processed(receiver: Receiver) -> None:
    stale = changed(REDDIT.event(1), event_at=now(hours=168, minutes=1) * 1000)
    answer = REDDIT.send(receiver, REDDIT.event(0), stale, REDDIT.event(2))
    assert answer.status == 400
    assert answer.body == {
        "message": "There were 1 invalid conversion events. None were processed.",
        "invalid_events": [
            {"error_message": "event_at timestamp must be less than 168h0m0s old", "event": stale}
        ],
    }
    assert receiver.ledger.summary()["accepted"] == 0


def test_every_bad_event_is_echoed(receiver: Receiver) -> None:
    answer = REDDIT.send(receiver, REDDIT.spoiled(0), REDDIT.event(1), REDDIT.spoiled(2))
    assert answer.body["message"] == "There were 2 invalid conversion events. None were processed."
    assert [
        invalid["event"]["metadata"]["conversion_id"] for invalid in answer.body["invalid_events"]
    ] == ["e0", "e2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"event_at": now(hours=-1) * 1000},
        {"event_at": now()},
        {"event_at": ABSENT},
        {"type": ABSENT},
        {"type": {}},
        {"type__tracking_type": "CUSTOM"},
        {"type": {"tracking_type": "CUSTOM", "custom_event_name": "x" * 65}},
        {"action_source": "web"},
        {"click_id": ABSENT, "user": ABSENT},
        {"click_id": ABSENT, "user": {"ip_address": "203.0.113.9"}},
        {"metadata__currency": "euro"},
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any]) -> None:
    answer = REDDIT.send(receiver, changed(REDDIT.event(1), **changes))
    assert (answer.status, len(answer.body["invalid_events"])) == (400, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_at": "2026-11-24T10:00:00Z"},
        {"metadata__value": "12.50"},
        {"metadata__item_count": 1.5},
        {"user__email": ["x"]},
    ],
)
def test_a_wrong_json_type_is_a_403(receiver: Receiver, changes: dict[str, Any]) -> None:
    answer = REDDIT.send(receiver, REDDIT.event(0), changed(REDDIT.event(1), **changes))
    assert (answer.status, answer.body["success"]) == (403, False)
    assert receiver.ledger.summary()["accepted"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"event_at": now(hours=167) * 1000},
        {"event_at": now(minutes=-4) * 1000},
        {"click_id": ABSENT, "user": {"email": "person@example.org"}},
        {"click_id": ABSENT, "user": {"uuid": "1684189007728.7c73d35e"}},
        {"click_id": ABSENT, "user": {"ip_address": "203.0.113.9", "user_agent": "Mozilla/5.0"}},
        {"type": {"tracking_type": "CUSTOM", "custom_event_name": "Quote"}},
        {"user__data_processing_options": {"country": "US", "region": "CA", "modes": ["LDU"]}},
    ],
)
def test_it_takes(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert REDDIT.send(receiver, changed(REDDIT.event(1), **changes)).status == 200


def test_a_test_id_counts_nothing(receiver: Receiver) -> None:
    answer = REDDIT.post(receiver, {"data": {"events": REDDIT.good(2), "test_id": "t2_x"}})
    assert answer.body == {"message": "Successfully processed 2 conversion events."}
    assert (receiver.ledger.summary()["accepted"], receiver.ledger.summary()["validated"]) == (0, 2)


def test_it_refuses_tokens_in_two_ways(receiver: Receiver) -> None:
    wrong, missing = (
        REDDIT.send(receiver, REDDIT.event(1), token="an-old-token"),
        REDDIT.send(receiver, REDDIT.event(1), headers={}),
    )
    assert (wrong.status, wrong.body["success"], wrong.body["error"]["reason"]) == (
        401,
        False,
        "UNAUTHORIZED",
    )
    assert (missing.status, missing.body) == (401, "Authorization Required")


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = REDDIT.send(receiver, REDDIT.event(1))
    assert (answer.status, answer.body["success"]) == (429, False)


def test_a_body_of_the_old_version_is_refused(receiver: Receiver) -> None:
    answer = REDDIT.post(receiver, {"events": REDDIT.good(1)})
    assert (answer.status, set(answer.body)) == (400, {"message"})


def test_too_many_events_are_refused_without_an_echo(receiver: Receiver) -> None:
    answer = REDDIT.send(receiver, *[{}] * 1001)
    assert (answer.status, set(answer.body)) == (400, {"message"})
