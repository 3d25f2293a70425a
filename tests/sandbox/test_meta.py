from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from connector.sandbox.server import Receiver, Settings, running
from tests.sandbox.platforms import ABSENT, PLATFORMS, TOKEN, Answer, changed, control, now, sha

META = PLATFORMS["meta"]
PATH = "/v25.0/1234567890/events"


def error(answer: Answer) -> tuple[int, int, int | None]:
    return answer.status, answer.body["error"]["code"], answer.body["error"].get("error_subcode")


def test_success_counts_the_events(receiver: Receiver) -> None:
    answer = META.send(receiver, *META.good(3))
    trace = answer.body.pop("fbtrace_id")
    assert answer.body == {"events_received": 3, "messages": []}
    assert trace


def test_a_bad_event_is_not_located(receiver: Receiver) -> None:
    events = [META.event(0), META.event(1), META.spoiled(2)]
    answer = META.send(receiver, *events)
    said = answer.body["error"]
    assert error(answer) == (400, 100, 2804050)
    assert said["type"] == "OAuthException"
    assert said["is_transient"] is False
    assert set(said) == {
        "message",
        "type",
        "code",
        "is_transient",
        "fbtrace_id",
        "error_subcode",
        "error_user_title",
        "error_user_msg",
    }
    assert META.send(receiver, *reversed(events)).body["error"] | {"fbtrace_id": ""} == said | {
        "fbtrace_id": ""
    }


@pytest.mark.parametrize(
    ("changes", "subcode"),
    [
        ({"event_time": now(days=7, minutes=1)}, 2804003),
        ({"event_time": now(days=62, minutes=1), "action_source": "physical_store"}, 2804003),
        ({"custom_data__value": ABSENT}, 2804009),
        ({"custom_data__currency": ABSENT}, 2804009),
        (
            {
                "user_data": {
                    "client_user_agent": "Mozilla/5.0",
                    "ct": sha("paris"),
                    "zp": sha("75001"),
                }
            },
            2804050,
        ),
        ({"user_data": {"client_user_agent": "Mozilla/5.0", "db": sha("19970216")}}, 2804050),
        ({"action_source": "app", "user_data": {"fn": sha("ada"), "ge": sha("f")}}, 2804050),
        ({"action_source": "app", "user_data": {"ln": sha("example")}}, 2804050),
        ({"user_data__em": "person@example.org"}, None),
        ({"user_data__em": [sha("person@example.org").upper()]}, None),
        ({"user_data__ph": []}, None),
        ({"user_data__client_user_agent": ABSENT}, None),
        ({"event_source_url": ABSENT}, None),
        ({"action_source": "web"}, None),
        ({"event_time": "2026-11-24T10:00:00Z"}, None),
        ({"event_name": ABSENT}, None),
        ({"custom_data__value": "12.50"}, None),
        ({"custom_data__currency": "EURO"}, None),
        ({"user_data__fbc": "AbCdEf"}, None),
        ({"user_data__client_ip_address": "0.0.0.0"}, None),
        ({"user_data__em": None}, None),
        ({"data_processing_options_state": 1014}, None),
        ({"opt_out": "false"}, None),
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any], subcode: int | None) -> None:
    assert error(META.send(receiver, changed(META.event(1), **changes))) == (400, 100, subcode)
    assert receiver.inbox.summary()["events"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"event_time": now(days=7, hours=-1)},
        {"event_time": now(days=62, hours=-1), "action_source": "physical_store"},
        {"event_time": now(hours=-1)},
        {"event_name": "SomethingOfOurOwn"},
        {
            "user_data": {
                "client_user_agent": "Mozilla/5.0",
                "fbp": "fb.1.1558571054389.1098115397.AQ",
            }
        },
        {"user_data": {"fn": sha("ada"), "ln": sha("example")}, "action_source": "chat"},
        {"custom_data__currency": "eur"},
        {
            "data_processing_options": [],
            "data_processing_options_country": 0,
            "data_processing_options_state": 0,
        },
        {"data_processing_options_state": 1013},
    ],
)
def test_it_takes(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert META.send(receiver, changed(META.event(1), **changes)).status == 200


def test_a_test_event_counts_as_any_other(receiver: Receiver) -> None:
    assert META.send(receiver, META.event(1), test_event_code="TEST123").status == 200
    assert receiver.inbox.summary()["events"] == 1


def test_the_same_id_under_two_names_is_two_events(receiver: Receiver) -> None:
    META.send(receiver, META.event(1), changed(META.event(1), event_name="Lead"))
    assert receiver.inbox.summary()["events"] == 2


def test_the_token_is_heard_in_query_and_body(receiver: Receiver) -> None:
    assert META.send(receiver, META.event(1), path=PATH, access_token=TOKEN).status == 200
    assert error(META.send(receiver, META.event(1), path=PATH)) == (400, 190, None)
    assert error(META.send(receiver, META.event(1), path=PATH, access_token="an-old-token")) == (
        401,
        190,
        463,
    )
    assert error(META.send(receiver, META.event(1), path=PATH, access_token=7)) == (401, 190, 463)


def test_an_app_secret_demands_its_proof() -> None:
    proof = hmac.new(b"app-secret", TOKEN.encode(), hashlib.sha256).hexdigest()
    with running(Settings(port=0, app_secret="app-secret")) as receiver:
        assert error(META.send(receiver, META.event(1))) == (400, 100, None)
        assert error(META.send(receiver, META.event(1), appsecret_proof=sha("guessed"))) == (
            400,
            100,
            None,
        )
        assert META.send(receiver, META.event(1), appsecret_proof=proof).status == 200
        assert (
            META.send(
                receiver, META.event(1), path=f"{PATH}?access_token={TOKEN}&appsecret_proof={proof}"
            ).status
            == 200
        )
    assert receiver.inbox.summary()["accepted"] == 2


def test_throttling_is_a_code_inside_a_400(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    assert error(META.send(receiver, META.event(1))) == (400, 613, None)


def test_what_is_no_pixel_is_an_object_that_does_not_exist(receiver: Receiver) -> None:
    assert error(
        META.send(receiver, META.event(1), path="/v25.0/no-pixel/events?access_token={token}")
    ) == (400, 100, 33)


@pytest.mark.parametrize("agent", ["x", "12345", "a name of 23 characters", 7])
def test_the_name_of_a_partner_has_a_form(receiver: Receiver, agent: Any) -> None:
    assert error(META.send(receiver, META.event(1), partner_agent=agent)) == (400, 100, None)
    assert META.send(receiver, META.event(1), partner_agent="a name of 22 character").status == 200


def test_too_many_events_are_refused_in_its_own_words(receiver: Receiver) -> None:
    assert error(META.send(receiver, *[{}] * 1001)) == (400, 100, None)
