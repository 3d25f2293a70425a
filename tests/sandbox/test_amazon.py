"""Amazon Ads Events: tokens, the headers beside them, and the two lists of a 207."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, Answer, call, changed, control, ids, now, sha

GOOD = {
    "eventDescription": {
        "name": "Order",
        "conversionType": "OFF_AMAZON_PURCHASES",
        "eventSource": "WEBSITE",
        "eventIngestionMethod": "SERVER_TO_SERVER",
        "dataSetName": "web",
    },
    "countryCode": "US",
    "eventId": "o-1",
    "value": 10.5,
    "currencyCode": "USD",
    "unitsSold": 1,
    "matchKeys": [{"type": "EMAIL", "values": [sha("person@example.org")]}],
    "customData": [{"name": "tier", "dataType": "STRING", "value": "a"}],
    "consent": {"amazonConsent": {"amznUserData": "GRANTED"}},
}
"""Source: amzn/ads-advanced-tools-docs, samples of events."""


def good(**changes: Any) -> dict[str, Any]:
    moment = dt.datetime.fromtimestamp(now(hours=1), dt.UTC).isoformat()
    return changed({**GOOD, "eventTime": moment}, **changes)


def token(receiver: Receiver, **changes: str) -> Answer:
    form = {
        "grant_type": "refresh_token",
        "client_id": "sandbox-client",
        "client_secret": "sandbox-client-secret",
        "refresh_token": "sandbox-refresh-token",
        **changes,
    }
    return call("POST", f"{receiver.url}/auth/o2/token", data=form)


def send(receiver: Receiver, *events: Any, **headers: str) -> Answer:
    named = {
        "Authorization": f"Bearer {token(receiver).body['access_token']}",
        "Amazon-Ads-ClientId": "sandbox-client",
        "Amazon-Ads-AccountId": "ENTITY1",
        **headers,
    }
    body = {"events": list(events)}
    return call("POST", f"{receiver.url}/adsApi/v1/create/events", body, named)


def test_good_events_stand_in_the_first_list(receiver: Receiver) -> None:
    answer = send(receiver, good(), good(eventId="o-2"))
    assert answer.status == 207
    assert ([each["index"] for each in answer.body["success"]], answer.body["error"]) == (
        [0, 1],
        [],
    )
    assert set(ids(receiver)) == {"amazon/ENTITY1/o-1", "amazon/ENTITY1/o-2"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"countryCode": ABSENT}, "FIELD_VALUE_IS_NULL"),
        ({"countryCode": "USA"}, "FIELD_VALUE_IS_INVALID"),
        ({"value": -1}, "FIELD_VALUE_IS_INVALID"),
        ({"matchKeys": []}, "FIELD_VALUE_IS_INVALID"),
        ({"matchKeys": [{"type": "EMAIL", "values": ["person@example.org"]}]}, None),
        ({"matchKeys": [{"type": "MAID", "values": ["a", "b"]}]}, None),
        ({"eventDescription__eventSource": "website"}, None),
        ({"eventDescription__dataSetName": "7 days"}, None),
        ({"eventTime": "2026-01-01T00:00:00Z"}, None),
        ({"colour": "red"}, None),
    ],
)
def test_a_bad_event_stands_in_the_second_list_and_the_others_are_taken(
    receiver: Receiver, changes: dict[str, Any], code: str | None
) -> None:
    answer = send(receiver, good(), good(**changes), good(eventId="o-3"))
    assert [each["index"] for each in answer.body["success"]] == [0, 2]
    (bad,) = answer.body["error"]
    assert (bad["index"], bad["errors"][0]["code"]) == (1, code or "FIELD_VALUE_IS_INVALID")
    assert receiver.inbox.summary()["accepted"] == 2


def test_a_lead_may_have_a_negative_value(receiver: Receiver) -> None:
    assert send(receiver, good(value=-1, eventDescription__conversionType="LEAD")).body["success"]


def test_token_client_and_account_are_all_wanted(receiver: Receiver) -> None:
    assert send(receiver, good(), Authorization="Bearer Atza|old").status == 401
    assert send(receiver, good(), **{"Amazon-Ads-ClientId": "another"}).status == 403
    assert send(receiver, good(), **{"Amazon-Ads-AccountId": ""}).status == 403
    assert token(receiver, refresh_token="another").body["error"] == "invalid_grant"
    assert receiver.inbox.summary()["accepted"] == 0


def test_an_empty_or_overfull_batch_and_too_many_requests_are_refused(receiver: Receiver) -> None:
    assert send(receiver).status == 400
    assert send(receiver, *[good()] * 501).status == 400
    control(receiver, faults=[{"kind": "throttle"}])
    assert send(receiver, good()).status == 429
