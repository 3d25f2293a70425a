"""Reddit v3 as its documents and logged answers have it.

Shapes: Reddit's own pages as copied into a public repository (docs/v3: direct integration, error
handling), and a refusal logged by a user of the API: `fields` names the place of each bad event.
"""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, changed, control, now

REDDIT = PLATFORMS["reddit"]


def test_success_is_a_sentence(receiver: Receiver) -> None:
    answer = REDDIT.send(receiver, *REDDIT.good(3))
    said = {"data": {"message": "Successfully processed 3 conversion events."}}
    assert (answer.status, answer.body) == (200, said)


def test_bad_events_are_named_by_place_and_none_is_processed(receiver: Receiver) -> None:
    stale = changed(REDDIT.event(1), event_at=now(hours=168, minutes=1) * 1000)
    answer = REDDIT.send(receiver, REDDIT.event(0), stale, REDDIT.spoiled(2))
    assert answer.status == 400
    error = answer.body["error"]
    assert (error["code"], error["message"]) == (
        400,
        "There were 2 invalid conversion events. None were processed.",
    )
    assert [entry["field"].partition("]")[0] for entry in error["fields"]] == [
        "$.data.events[1",
        "$.data.events[2",
    ]
    assert error["fields"][0] == {
        "field": "$.data.events[1].event_at",
        "message": "event_at: event_at timestamp must be less than 168h0m0s old",
    }
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(("event", "data"), [({"test_id": "t2_x"}, {}), ({}, {"test_mode": True})])
def test_a_key_that_it_does_not_know_is_refused_without_a_place(
    receiver: Receiver, event: dict[str, Any], data: dict[str, Any]
) -> None:
    events = [REDDIT.event(0), {**REDDIT.event(1), **event}]
    answer = REDDIT.post(receiver, {"data": {"events": events, **data}})
    (name,) = {**event, **data}
    message = f'JSON error "unknown field" on field "{name}"'
    assert (answer.status, answer.body) == (400, {"error": {"code": 400, "message": message}})


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
    assert (answer.status, len(answer.body["error"]["fields"])) == (400, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"event_at": "2026-11-24T10:00:00Z"},
        {"metadata__value": "12.50"},
        {"metadata__item_count": 1.5},
        {"user__email": ["x"]},
    ],
)
def test_a_wrong_json_type_is_refused_without_a_place(
    receiver: Receiver, changes: dict[str, Any]
) -> None:
    answer = REDDIT.send(receiver, REDDIT.event(0), changed(REDDIT.event(1), **changes))
    assert (answer.status, set(answer.body["error"])) == (400, {"code", "message"})
    assert receiver.inbox.summary()["accepted"] == 0


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
    assert answer.body["data"]["message"] == "Successfully processed 2 conversion events."
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (0, 2)


def test_it_refuses_tokens_in_two_ways(receiver: Receiver) -> None:
    wrong = REDDIT.send(receiver, REDDIT.event(1), token="an-old-token")
    missing = REDDIT.send(receiver, REDDIT.event(1), headers={})
    assert (wrong.status, wrong.body["error"]["message"]) == (401, "UNAUTHORIZED")
    assert (missing.status, missing.body["error"]["message"]) == (401, "No bearer token provided")


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = REDDIT.send(receiver, REDDIT.event(1))
    assert (answer.status, answer.body["error"]["code"]) == (429, 429)


@pytest.mark.parametrize(
    "body", [{"events": REDDIT.good(1)}, {"data": {"events": [{}] * 1001}}], ids=["v2", "many"]
)
def test_a_body_of_the_old_version_or_with_too_many_events_is_refused_as_a_whole(
    receiver: Receiver, body: dict[str, Any]
) -> None:
    answer = REDDIT.post(receiver, body)
    assert (answer.status, answer.body) == (400, {"error": {"code": 400, "message": "Bad Request"}})
