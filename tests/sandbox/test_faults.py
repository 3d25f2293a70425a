"""The ways to fail, one after the other, and whether the events arrive all the same."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import PLATFORMS, TOKEN, Answer, call, capi_event, control

PATH = "/signal/v1/conversion"
takes = pytest.mark.parametrize("take", [True, False])


def send(receiver: Receiver, number: int = 1) -> Answer:
    return call(
        "POST", receiver.url + PATH, capi_event(number), {"Authorization": f"Bearer {TOKEN}"}
    )


def raw(receiver: Receiver, timeout: float = 5) -> requests.Response:
    """One request on a connection of its own."""
    return requests.post(
        receiver.url + PATH,
        json=capi_event(1),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=timeout,
        stream=True,
    )


def script(receiver: Receiver, **fault: Any) -> None:
    assert control(receiver, faults=[fault]).status == 200


def accepted(receiver: Receiver) -> int:
    count: int = receiver.inbox.summary()["accepted"]
    return count


@takes
def test_a_status_with_headers_and_a_body(receiver: Receiver, take: bool) -> None:
    script(receiver, status=503, headers={"Retry-After": "5"}, body={"error": "busy"}, take=take)
    answer = send(receiver)
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (
        503,
        {"error": "busy"},
        "5",
    )
    assert accepted(receiver) == take
    assert send(receiver).status == 200


def test_a_body_may_be_text_or_empty(receiver: Receiver) -> None:
    for body in ("<html>", ""):
        script(receiver, status=502, body=body)
        assert send(receiver).body == body


@takes
def test_a_reset_breaks_the_connection(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="reset", take=take)
    with pytest.raises(requests.ConnectionError):
        raw(receiver)
    assert accepted(receiver) == take


@takes
def test_a_truncated_answer_ends_in_the_middle(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="truncate", take=take)
    answer = raw(receiver)
    assert answer.status_code == 200
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        _ = answer.content
    assert accepted(receiver) == take


@takes
def test_a_drip_goes_on_although_each_byte_comes_in_time(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="drip", seconds=30, take=take)
    with raw(receiver, timeout=10) as answer:
        stream = answer.iter_content(1)
        assert [next(stream) for _ in range(4)] == [b" "] * 4
    assert accepted(receiver) == take


def test_a_drip_ends_in_an_answer(receiver: Receiver) -> None:
    script(receiver, kind="drip", seconds=0.2)
    assert send(receiver).body == {}


@takes
def test_garbage_is_a_page_with_status_200(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="garbage", take=take)
    answer = send(receiver)
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    assert "<html>" in answer.body
    assert accepted(receiver) == take


@takes
def test_an_empty_answer_has_status_200(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="empty", take=take)
    answer = send(receiver)
    assert (answer.status, answer.body) == (200, "")
    assert accepted(receiver) == take


@takes
def test_a_redirect_leads_nowhere(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="redirect", headers={"Location": "https://elsewhere.example/"}, take=take)
    answer = send(receiver)
    assert (answer.status, answer.headers["Location"]) == (302, "https://elsewhere.example/")
    assert accepted(receiver) == take


@takes
def test_a_hang_outlasts_the_patience_of_the_caller(receiver: Receiver, take: bool) -> None:
    script(receiver, kind="hang", seconds=30, take=take)
    with pytest.raises(requests.ReadTimeout):
        raw(receiver, timeout=0.2)
    assert accepted(receiver) == take
    assert send(receiver, 2).status == 200


def test_a_hang_ends_in_a_503(receiver: Receiver) -> None:
    script(receiver, kind="hang", seconds=0.1)
    assert send(receiver).status == 503


def test_faults_come_in_their_order_and_as_often_as_they_say(receiver: Receiver) -> None:
    control(receiver, faults=[{"status": 500, "times": 2}, {"status": 502, "after": 1}])
    assert [send(receiver, number).status for number in range(5)] == [500, 500, 200, 502, 200]
    assert receiver.inbox.summary()["statuses"] == {"500": 2, "200": 2, "502": 1}


def test_a_fault_can_wait_for_a_text_or_an_address(receiver: Receiver) -> None:
    meta = PLATFORMS["meta"]
    control(
        receiver,
        faults=[
            {"status": 500, "match": capi_event(2)["event_id"]},
            {"status": 502, "path": "/v25.0/"},
        ],
    )
    assert [send(receiver, number).status for number in range(4)] == [200, 200, 500, 200]
    assert [meta.send(receiver, meta.event(1)).status for _ in range(2)] == [502, 200]


def test_a_wrong_token_uses_up_no_fault(receiver: Receiver) -> None:
    script(receiver, status=500)
    assert call("POST", receiver.url + PATH, capi_event(1), {"X-Api-Key": "another"}).status == 401
    assert send(receiver).status == 500


def test_events_that_a_fault_takes_are_still_judged(receiver: Receiver) -> None:
    script(receiver, status=500, take=True)
    call("POST", receiver.url + PATH, {**capi_event(1), "currency": "usd"}, {"X-Api-Key": TOKEN})
    assert (accepted(receiver), receiver.inbox.summary()["refused"]) == (0, 1)


def test_the_fail_rate_fails_that_share_of_requests(receiver: Receiver) -> None:
    control(receiver, fail_rate=0.3)
    answers = [send(receiver, number).status for number in range(200)]
    assert set(answers) == {200, 500, 503}
    assert 30 < 200 - answers.count(200) < 90
    assert accepted(receiver) == answers.count(200)
