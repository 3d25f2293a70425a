from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, TOKEN, changed, control, now, sha

SNAP = PLATFORMS["snapchat"]
VALIDATE = "/v3/pixel-1/events/validate?access_token={token}"


def test_success_is_valid(receiver: Receiver) -> None:
    answer = SNAP.send(receiver, *SNAP.good(3))
    assert (answer.status, answer.body) == (200, {"status": "VALID"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"user_data": {"client_ip_address": "203.0.113.9"}}, "507"),
        ({"user_data": {"client_user_agent": "Mozilla/5.0"}}, "507"),
        ({"user_data": {"fn": [sha("ada")], "external_id": "c1"}}, "507"),
        ({"event_name": "purchase"}, "400"),
        ({"event_name": "CUSTOM_EVENT_6"}, "400"),
        ({"event_time": now(days=37, minutes=1)}, "400"),
        ({"event_time": now(days=37, minutes=1) * 1000}, "400"),
        ({"action_source": "website"}, "400"),
        ({"event_source_url": ABSENT}, "400"),
        ({"custom_data__value": ABSENT}, "400"),
        ({"custom_data__currency": ABSENT}, "400"),
        ({"user_data__em": sha("person@example.org")}, "400"),
        ({"user_data__em": ["person@example.org"]}, "400"),
        ({"user_data__mobile_ad_id": "AEBE52E7-03EE-455A-B3C4-E57283966239"}, "400"),
        ({"app_data": {"extinfo": ["i2"] * 15}}, "400"),
        ({"app_data": {"extinfo": ["i2"] * 17}}, "400"),
    ],
)
def test_the_first_bad_event_is_named_by_its_index(
    receiver: Receiver, changes: dict[str, Any], code: str
) -> None:
    answer = SNAP.send(receiver, SNAP.event(0), changed(SNAP.event(1), **changes), SNAP.spoiled(2))
    assert answer.status == 400
    assert set(answer.body) == {"status", "reason", "event", "errors"}
    assert (answer.body["status"], answer.body["event"]) == ("INVALID", 1)
    assert answer.body["errors"]["codes"] == [code]
    assert len(answer.body["errors"]["error_msgs"]) == 1
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"user_data": {"ph": [sha("16505551212")]}},
        {"user_data": {"mobile_ad_id": "aebe52e7-03ee-455a-b3c4-e57283966239"}},
        {"user_data": {"client_ip_address": "2001:db8::1", "client_user_agent": "Mozilla/5.0"}},
        {"event_time": now(days=37, hours=-1)},
        {"event_time": now(hours=1) * 1000},
        {"custom_data__value": "10"},
        {"action_source": "OFFLINE", "event_source_url": ABSENT},
        {"event_name": "SIGN_UP", "custom_data": ABSENT},
        {"app_data": {"app_id": "1", "extinfo": ["i2"] * 16}},
    ],
)
def test_it_takes(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert SNAP.send(receiver, changed(SNAP.event(1), **changes)).body == {"status": "VALID"}


def test_the_twin_locates_every_bad_event_and_counts_nothing(receiver: Receiver) -> None:
    answer = SNAP.send(receiver, SNAP.spoiled(0), SNAP.event(1), SNAP.spoiled(2), path=VALIDATE)
    assert answer.status == 200
    assert (answer.body["status"], answer.body["test_event"]) == ("INVALID", True)
    logs = answer.body["event_logs"]
    assert [
        (log["event"], log["status"], log["errors"]["codes"], log["warnings"]) for log in logs
    ] == [
        (0, "INVALID", ["507"], []),
        (1, "VALID", [], []),
        (2, "INVALID", ["507"], []),
    ]
    good = SNAP.send(receiver, *SNAP.good(2), path=VALIDATE).body
    assert (good["status"], [log["status"] for log in good["event_logs"]]) == (
        "VALID",
        ["VALID"] * 2,
    )
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (0, 2)


def test_the_token_is_in_the_query_alone(receiver: Receiver) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    answer = SNAP.send(receiver, SNAP.event(1), path="/v3/pixel-1/events", headers=bearer)
    assert (answer.status, answer.body["status"]) == (401, "INVALID")
    assert SNAP.send(receiver, SNAP.event(1), path=VALIDATE, token="an-old-token").status == 401


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = SNAP.send(receiver, SNAP.event(1))
    assert (answer.status, answer.body["status"]) == (429, "INVALID")


def test_too_many_events_are_refused_without_an_index(receiver: Receiver) -> None:
    answer = SNAP.send(receiver, *[{}] * 2001)
    assert (answer.status, answer.body["status"], "event" in answer.body) == (400, "INVALID", False)
