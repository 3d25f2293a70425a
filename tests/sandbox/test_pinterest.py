from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, changed, control, now, sha

PIN = PLATFORMS["pinterest"]
PROCESSED = {"status": "processed", "error_message": "", "warning_message": ""}


def test_success_has_a_verdict_on_each_event(receiver: Receiver) -> None:
    answer = PIN.send(receiver, *PIN.good(3))
    assert (answer.status, answer.body) == (
        200,
        {"num_events_received": 3, "num_events_processed": 3, "events": [PROCESSED] * 3},
    )


def test_the_good_events_of_a_batch_are_processed(receiver: Receiver) -> None:
    answer = PIN.send(receiver, PIN.event(0), PIN.spoiled(1), PIN.event(2))
    assert answer.status == 422
    assert set(answer.body) == {"code", "message", "details"}
    assert answer.body["message"].startswith("Not all events were processed")
    verdicts = answer.body["details"]["events"]
    assert (
        answer.body["details"]["num_events_received"],
        answer.body["details"]["num_events_processed"],
    ) == (3, 2)
    assert [verdict["status"] for verdict in verdicts] == ["processed", "failed", "processed"]
    assert verdicts[1]["error_message"].startswith("event_name must be one of")
    assert {event_id for _, event_id in receiver.inbox.arrivals} == {"e0", "e2"}


@pytest.mark.parametrize(
    "changes",
    [
        {"user_data": {"ph": [sha("16505551212")]}},
        {"user_data": {"client_ip_address": "203.0.113.9"}},
        {"user_data": {}},
        {"user_data__em": ["person@example.org"]},
        {"user_data__em": [sha("person@example.org").upper()]},
        {"user_data__client_ip_address": "0.0.0.0"},
        {"event_time": now() * 1000},
        {"custom_data__value": "12,50"},
        {"custom_data__currency": "eur"},
        {"action_source": "website"},
        {"partner_name": "somebody"},
        {"event_name": "purchase"},
    ],
)
def test_a_bad_value_fails_one_event(receiver: Receiver, changes: dict[str, Any]) -> None:
    answer = PIN.send(receiver, changed(PIN.event(0), **changes), PIN.event(1))
    assert answer.status == 422
    assert [verdict["status"] for verdict in answer.body["details"]["events"]] == [
        "failed",
        "processed",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_data__value": 12.5},
        {"custom_data__predicted_ltv": 1},
        {"custom_data__contents": [{"item_price": 12.5}]},
        {"custom_data__num_items": "1"},
        {"event_time": "1700000000"},
        {"user_data__em": sha("person@example.org")},
        {"opt_out": "false"},
        {"event_id": ABSENT},
        {"user_data": ABSENT},
        {"value": "12.50"},
        {"test_event_code": "x"},
    ],
)
def test_a_broken_structure_refuses_the_whole_request(
    receiver: Receiver, changes: dict[str, Any]
) -> None:
    answer = PIN.send(receiver, changed(PIN.event(0), **changes), PIN.event(1))
    assert (answer.status, answer.body["code"], set(answer.body)) == (
        400,
        4196,
        {"code", "message"},
    )
    assert receiver.inbox.summary()["accepted"] == 0


def test_the_request_has_no_other_field(receiver: Receiver) -> None:
    answer = PIN.send(receiver, PIN.event(1), partner="x")
    assert (answer.status, answer.body["code"]) == (400, 4196)


def test_a_warning_is_no_failure(receiver: Receiver) -> None:
    answer = PIN.send(
        receiver,
        changed(PIN.event(1), custom_data__colour="red"),
        changed(PIN.event(2), event_time=now(days=7, minutes=1)),
        changed(PIN.event(3), event_time=now(days=7, hours=-1)),
    )
    assert answer.status == 200
    assert [verdict["status"] for verdict in answer.body["events"]] == ["processed"] * 3
    assert [bool(verdict["warning_message"]) for verdict in answer.body["events"]] == [
        True,
        True,
        False,
    ]
    assert receiver.inbox.summary()["events"] == 3


@pytest.mark.parametrize(
    "name", ["user_data__clickid", "custom_data__price", "custom_data__contents"]
)
def test_a_field_that_it_does_not_know_inside_is_worth_a_warning(
    receiver: Receiver, name: str
) -> None:
    answer = PIN.send(receiver, changed(PIN.event(1), **{name: [{"colour": "red"}]}))
    assert [
        (verdict["status"], "is not a known field" in verdict["warning_message"])
        for verdict in answer.body["events"]
    ] == [("processed", True)]


def test_ids_of_a_phone_are_enough_with_address_and_agent(receiver: Receiver) -> None:
    for user in (
        {"hashed_maids": [sha("maid")]},
        {"client_ip_address": "203.0.113.9", "client_user_agent": "Mozilla/5.0"},
    ):
        assert PIN.send(receiver, changed(PIN.event(1), user_data=user)).status == 200


def test_test_mode_counts_nothing_and_is_small(receiver: Receiver) -> None:
    path = f"{PIN.path}?test=true"
    assert PIN.send(receiver, *PIN.good(20), path=path).body["num_events_processed"] == 20
    assert PIN.send(receiver, *PIN.good(21), path=path).status == 400
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (
        0,
        20,
    )
    assert PIN.send(receiver, PIN.event(1), path=f"{PIN.path}?test=false").status == 200
    assert receiver.inbox.summary()["accepted"] == 1


def test_its_other_refusals_have_their_codes(receiver: Receiver) -> None:
    wrong_token = PIN.send(receiver, PIN.event(1), token="an-old-token")
    assert (wrong_token.status, wrong_token.body) == (
        401,
        {"code": 2, "message": "Authentication failed."},
    )
    foreign = PIN.send(receiver, PIN.event(1), path="/v5/ad_accounts/not-ours/events")
    assert (foreign.status, foreign.body["code"]) == (403, 29)
    control(receiver, faults=[{"kind": "throttle"}])
    throttled = PIN.send(receiver, PIN.event(1))
    assert (
        throttled.status,
        throttled.body["code"],
        throttled.headers["x-ratelimit-remaining"],
    ) == (429, 8, "0")
    assert PIN.send(receiver, *[{}] * 1001).body["code"] == 4196
