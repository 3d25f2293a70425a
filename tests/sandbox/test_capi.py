"""The base protocol: one event a request."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import (
    ABSENT,
    TOKEN,
    Answer,
    call,
    capi_event,
    changed,
    control,
    ids,
    sha,
)

PATH = "/signal/v1/conversion"


def send(receiver: Receiver, event: Any, headers: dict[str, str] | None = None) -> Answer:
    return call(
        "POST",
        receiver.url + PATH,
        event,
        {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers,
    )


def test_a_full_good_event_is_taken(receiver: Receiver) -> None:
    answer = send(receiver, capi_event(1))
    assert (answer.status, answer.body) == (200, {"status": "ok"})
    assert ids(receiver) == {f"capi/abc123def456/{sha('event 1')}": [1, 0]}


def test_the_least_event_is_taken(receiver: Receiver) -> None:
    least = {
        name: capi_event(1)[name]
        for name in ("advertiser_id", "conversion_type", "data_source_key", "event_id", "ids")
    }
    assert send(receiver, least).status == 200


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"advertiser_id": "12"}, "type", "advertiser_id"),
        ({"advertiser_id": True}, "type", "advertiser_id"),
        ({"event_id": ABSENT}, "missing", "event_id"),
        ({"event_id": ""}, "format", "conversion_type"),
        ({"ids": []}, "no_identity", "ids"),
        ({"ids": [{"name": "Email", "id": "Person@Example.org"}]}, "format", "ids[0].id"),
        ({"ids": [{"name": "HashedEmail", "id": sha("x").upper()}]}, "format", "ids[0].id"),
        ({"ids": [{"name": "Phone", "id": "+14155552671"}]}, "format", "ids[0].id"),
        (
            {"ids": [{"name": "Guid", "id": "85B04DED-09DD-4015-AD30-581E45452DD9"}]},
            "format",
            "ids[0].id",
        ),
        (
            {"ids": [{"name": "Guid", "id": "00000000-0000-0000-0000-000000000000"}]},
            "format",
            "ids[0].id",
        ),
        ({"ids": [{"name": "Cookie", "id": "x"}]}, "format", "ids[0].name"),
        ({"ids": [{"name": ["Guid"], "id": "x"}]}, "format", "ids[0].name"),
        ({"ids": [{"name": "Guid"}]}, "format", "ids[0]"),
        ({"timestamp": "2026-04-13 14:30:00"}, "format", "timestamp"),
        ({"timestamp": "2026-04-13T14:30:00+00:00"}, "format", "timestamp"),
        ({"value": "99.99"}, "type", "value"),
        ({"value": None}, "type", "value"),
        ({"currency": "usd"}, "format", "currency"),
        ({"user_agent": "Mozilla/5.0"}, "type", "user_agent"),
        ({"user_agent": {"device": "x"}}, "format", "user_agent"),
        ({"colour": "red"}, "unknown", "colour"),
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any], code: str, field: str) -> None:
    answer = send(receiver, changed(capi_event(1), **changes))
    assert (answer.status, answer.body["error"]["code"], answer.body["error"]["field"]) == (
        400,
        code,
        field,
    )
    assert receiver.inbox.summary()["reasons"] == {code: 1}


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_body_is_one_object(receiver: Receiver, body: Any) -> None:
    assert send(receiver, body).body["error"]["code"] == "bad_json"


def test_a_key_in_its_own_header_will_do(receiver: Receiver) -> None:
    assert send(receiver, capi_event(1), {"X-Api-Key": TOKEN}).status == 200
    for headers in (
        {"X-Api-Key": "another"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {},
    ):
        answer = send(receiver, capi_event(1), headers)
        assert (answer.status, answer.body["error"]["code"]) == (401, "unauthorized")


def test_throttling_says_how_long_to_wait(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = send(receiver, capi_event(1))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")


def test_the_reject_rate_is_a_rejected_row(receiver: Receiver) -> None:
    control(receiver, reject_rate=1)
    answer = send(receiver, capi_event(1))
    assert (answer.status, answer.body["error"]["code"]) == (400, "sandbox")
