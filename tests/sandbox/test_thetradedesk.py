"""The Trade Desk, in real time and offline."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, TOKEN, Answer, call, changed, control, ids

REAL_TIME = {
    "adv": "a1",
    "tracker_id": "t1",
    "event_name": "purchase",
    "value": "10.50",
    "currency": "USD",
    "order_id": "o-1",
    "adid": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
    "adid_type": "TDID",
    "client_ip": "203.0.113.9",
    "items": [{"item_code": "s", "name": "n", "qty": "1", "price": "10.50", "cat": "c"}],
    "data_processing_option": {"policies": ["LDU"], "region": "us-ca"},
}
"""Source: rudderlabs/rudder-transformer, the_trade_desk_real_time_conversions."""

OFFLINE = {
    "TrackingTagId": "t",
    "TimestampUtc": "2026-11-27T10:00:00Z",
    "TDID": "9a3c1f52-7f4e-4a3c-8d39-0c6f5a2b1e77",
    "OrderId": "o-1",
    "Value": "10.50",
    "ValueCurrency": "USD",
    "EventName": "purchase",
    "MerchantId": "m",
    "UserIdArray": [["UID2", "AKaNkgRC4TY="]],
    "LineItems": [],
}
"""Source: The Trade Desk's OpenAPI 0.1 in api-evangelist/the-trade-desk."""


def real_time(receiver: Receiver, *events: Any) -> Answer:
    return call("POST", f"{receiver.url}/track/realtimeconversion", {"data": list(events)})


def offline(receiver: Receiver, *items: Any, token: str = TOKEN) -> Answer:
    body = {"DataProviderId": "p", "Items": list(items)}
    return call("POST", f"{receiver.url}/providerapi/offlineconversion", body, {"TTD-Auth": token})


def test_good_events_are_taken(receiver: Receiver) -> None:
    answer = real_time(receiver, REAL_TIME, {**REAL_TIME, "order_id": "o-2"})
    assert (answer.status, answer.body) == (200, {"Message": None, "EventResponses": []})
    assert set(ids(receiver)) == {"thetradedesk/a1/o-1", "thetradedesk/a1/o-2"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"data_processing_option": {"policies": ["GDPR"]}}, "InvalidPrivacySetting"),
        ({"data_processing_option": {"policies": ["LDU", "LDU"]}}, "InvalidPrivacySetting"),
        ({"currency": ABSENT}, "MissingRequiredField"),
        ({"tracker_id": ABSENT}, "MissingRequiredField"),
        ({"adid": ABSENT, "adid_type": ABSENT}, "MissingRequiredField"),
        ({"adid_type": "COOKIE"}, "InvalidField"),
        ({"value": 10.5}, "InvalidField"),
    ],
)
def test_a_bad_event_is_named_and_none_is_taken(
    receiver: Receiver, changes: dict[str, Any], code: str
) -> None:
    answer = real_time(receiver, REAL_TIME, changed(REAL_TIME, **changes))
    assert answer.status == 400
    (said,) = answer.body["EventResponses"]
    assert (said["EventIndex"], said["Successful"]) == (1, False)
    assert said["EventErrors"][0]["Error"] == code
    assert receiver.inbox.summary()["accepted"] == 0


def test_too_many_and_too_few_events_are_refused(receiver: Receiver) -> None:
    for events in ([REAL_TIME] * 101, []):
        assert real_time(receiver, *events).status == 400
    assert offline(receiver).status == 400


def test_a_line_that_fails_is_named_by_a_text_that_counts_from_one(receiver: Receiver) -> None:
    bad = changed(OFFLINE, TimestampUtc="yesterday", OrderId="o-2")
    answer = offline(receiver, OFFLINE, bad, {**OFFLINE, "OrderId": "o-3"})
    assert answer.status == 200
    (line,) = answer.body["FailedLines"]
    assert (line["ItemNumber"], line["ErrorCode"], line["OrderId"]) == (
        "2",
        "InvalidTimestamp",
        "o-2",
    )
    assert receiver.inbox.summary()["accepted"] == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TrackingTagId": ABSENT}, "MissingOrInvalidTrackingTagId"),
        ({"TDID": ABSENT, "UserIdArray": ABSENT}, "MissingOrInvalidTDIDAndImpressionId"),
        ({"UserIdArray": [["UID2"]]}, "InvalidUserIdTypeOrUserId"),
        ({"colour": "red"}, "ItemDeserializationError"),
    ],
)
def test_lines_fail_with_the_published_codes(
    receiver: Receiver, changes: dict[str, Any], code: str
) -> None:
    (line,) = offline(receiver, changed(OFFLINE, **changes)).body["FailedLines"]
    assert line["ErrorCode"] == code


def test_a_wrong_token_gets_a_text(receiver: Receiver) -> None:
    answer = offline(receiver, OFFLINE, token="another")
    assert (answer.status, answer.body) == (403, "The token of TTD-Auth is not valid.")


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle", "times": 2}])
    assert {real_time(receiver, REAL_TIME).status, offline(receiver, OFFLINE).status} == {429}
