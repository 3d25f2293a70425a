from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, changed, control, now, sha

MICROSOFT = PLATFORMS["microsoft"]


def test_success_counts_the_events(receiver: Receiver) -> None:
    answer = MICROSOFT.send(receiver, *MICROSOFT.good(3))
    assert (answer.status, answer.body) == (200, {"eventsReceived": 3})


def test_where_it_may_continue_the_bad_event_is_told_inside_a_200(receiver: Receiver) -> None:
    bad = changed(MICROSOFT.event(1), userData={"em": "person@example.org"})
    answer = MICROSOFT.send(receiver, MICROSOFT.event(0), bad, MICROSOFT.event(2))
    assert answer.status == 200
    assert answer.body["eventsReceived"] == 2
    detail = {
        "index": 1,
        "propertyName": "data[1].userData.em",
        "errorMessage": "must be a SHA-256 digest of 64 lower-case hexadecimal digits",
        "errorCode": "InvalidValue",
        "isWarning": False,
    }
    assert answer.body["error"] == {"details": [detail]}
    assert {event_id for _, event_id in receiver.inbox.arrivals} == {"e0", "e2"}


@pytest.mark.parametrize("flag", [False, ABSENT])
def test_where_it_may_not_the_whole_request_is_refused(receiver: Receiver, flag: Any) -> None:
    body = changed(
        MICROSOFT.wrap([MICROSOFT.event(0), MICROSOFT.spoiled(1)]), continueOnValidationError=flag
    )
    answer = MICROSOFT.post(receiver, body)
    assert answer.status == 400
    assert set(answer.body) == {"error", "traceId"}
    assert set(answer.body["error"]) == {"code", "message", "details"}
    assert [detail["index"] for detail in answer.body["error"]["details"]] == [1]
    assert receiver.inbox.summary()["accepted"] == 0


def test_the_flag_inside_an_event_is_only_worth_a_warning(receiver: Receiver) -> None:
    event = changed(MICROSOFT.event(0), continueOnValidationError=True)
    refused = MICROSOFT.send(receiver, event, MICROSOFT.spoiled(1), continueOnValidationError=False)
    assert refused.status == 400
    taken = MICROSOFT.send(receiver, event, continueOnValidationError=False)
    assert (taken.status, taken.body["eventsReceived"]) == (200, 1)
    assert [
        (detail["propertyName"], detail["isWarning"]) for detail in taken.body["error"]["details"]
    ] == [("data[0].continueOnValidationError", True)]
    assert receiver.inbox.summary()["events"] == 1


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"eventTime": now(days=7, minutes=1)}, "eventTime", "EventTooOld"),
        ({"eventTime": "1700000000"}, "eventTime", "InvalidType"),
        ({"eventName": ABSENT}, "eventName", "MissingProperty"),
        ({"eventType": "pageLoad", "eventSourceUrl": ABSENT}, "eventSourceUrl", "MissingProperty"),
        ({"eventType": "click"}, "eventType", "InvalidValue"),
        ({"userData": {}}, "userData", "MissingUserData"),
        ({"userData__em": sha("x").upper()}, "userData.em", "InvalidValue"),
        ({"userData__em": [sha("x")]}, "userData.em", "InvalidType"),
        ({"userData__msclkid": "abc"}, "userData.msclkid", "InvalidValue"),
        ({"customData__value": "12.50"}, "customData.value", "InvalidType"),
        ({"customData__currency": "eur"}, "customData.currency", "InvalidValue"),
        ({"customData__pageType": "checkout"}, "customData.pageType", "InvalidValue"),
        ({"adStorageConsent": "granted"}, "adStorageConsent", "InvalidValue"),
        ({"pageLoadId": "x"}, "pageLoadId", "InvalidValue"),
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any], field: str, code: str) -> None:
    answer = MICROSOFT.send(receiver, MICROSOFT.event(0), changed(MICROSOFT.event(1), **changes))
    assert answer.body["eventsReceived"] == 1
    (detail,) = answer.body["error"]["details"]
    assert (detail["index"], detail["propertyName"], detail["errorCode"], detail["isWarning"]) == (
        1,
        f"data[1].{field}",
        code,
        False,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"userData": {"externalId": "customer-1"}},
        {"userData": {"msclkid": "3D1EB6A04A1B4BD59D1A0F1E2D3C4B5A"}},
        {"eventType": "pageLoad", "eventName": ABSENT},
        {"eventTime": now(days=7, hours=-1)},
    ],
)
def test_it_takes(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert MICROSOFT.send(receiver, changed(MICROSOFT.event(1), **changes)).body == {
        "eventsReceived": 1
    }


def test_an_empty_batch_tells_a_wrong_token_from_a_right_one(receiver: Receiver) -> None:
    right, wrong = MICROSOFT.send(receiver), MICROSOFT.send(receiver, token="an-old-token")
    assert (right.status, wrong.status) == (400, 401)
    assert wrong.body["error"]["code"] == "Unauthorized"
    assert wrong.body["traceId"]


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    assert MICROSOFT.send(receiver, MICROSOFT.event(1)).status == 429


def test_too_many_events_are_refused_even_where_it_may_continue(receiver: Receiver) -> None:
    answer = MICROSOFT.send(receiver, *[{}] * 1001)
    assert (answer.status, answer.body["error"]["details"]) == (400, [])
