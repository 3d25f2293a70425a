from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import ABSENT, PLATFORMS, TOKEN, Answer, changed, control, now, sha

TIKTOK = PLATFORMS["tiktok"]


def said(answer: Answer) -> tuple[int, str]:
    """Code and message; the rest of the shape holds for all answers."""
    assert answer.status == 200
    assert set(answer.body) == {"code", "message", "request_id", "data"}
    return answer.body["code"], answer.body["message"]


def test_success_is_code_0(receiver: Receiver) -> None:
    assert said(TIKTOK.send(receiver, *TIKTOK.good(3))) == (0, "OK")


def test_a_value_of_the_wrong_type_is_located_as_in_the_old_api(receiver: Receiver) -> None:
    bad = changed(TIKTOK.event(2), properties__contents=[{"content_id": 7}])
    assert said(TIKTOK.send(receiver, *TIKTOK.good(2), bad)) == (
        40002,
        "Batch.2.properties.contents.0.content_id: Not a valid string.",
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user__email": "person@example.org"}, "user.email"),
        ({"user__phone": [sha("1"), sha("2").upper()]}, "user.phone.1"),
        ({"user__external_id": "customer-1"}, "user.external_id"),
        ({"user__ip": "nowhere"}, "user.ip"),
        ({"event_time": now(days=28, minutes=1)}, "event_time"),
        ({"event_time": ABSENT}, "event_time"),
        ({"event": ABSENT}, "event"),
        ({"user": ABSENT}, "user"),
        ({"page": {"referrer": "https://example.com"}}, "page.url"),
        ({"page": ABSENT}, "page.url"),
        ({"properties__currency": "eur"}, "properties.currency"),
        ({"properties__content_type": "goods"}, "properties.content_type"),
    ],
)
def test_a_bad_event_is_located_by_its_place_in_data(
    receiver: Receiver, changes: dict[str, Any], field: str
) -> None:
    code, message = said(
        TIKTOK.send(receiver, TIKTOK.event(0), changed(TIKTOK.event(1), **changes), TIKTOK.event(2))
    )
    assert code == 40002
    assert message.startswith(f"data.1.{field}: ")
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(
    "field",
    ["event_time", "limited_data_use", "properties__value", "properties__num_items", "page"],
)
def test_types_are_what_they_are(receiver: Receiver, field: str) -> None:
    code, message = said(TIKTOK.send(receiver, changed(TIKTOK.event(1), **{field: "12"})))
    assert code == 40002
    assert message.startswith(f"Batch.0.{field.replace('__', '.')}: Not a valid ")


def test_only_the_first_bad_event_is_named(receiver: Receiver) -> None:
    _, message = said(TIKTOK.send(receiver, TIKTOK.event(0), TIKTOK.spoiled(1), TIKTOK.spoiled(2)))
    assert "data.1." in message
    assert "data.2" not in message


def test_the_source_is_of_the_request(receiver: Receiver) -> None:
    without_page = changed(TIKTOK.event(1), page=ABSENT)
    assert said(TIKTOK.send(receiver, without_page, event_source="offline"))[0] == 0
    assert said(TIKTOK.send(receiver, without_page, event_source="web"))[0] == 40002
    assert said(TIKTOK.send(receiver, TIKTOK.event(1), event_source="website"))[0] == 40002
    for name in ("event_source", "event_source_id"):
        code, message = said(
            TIKTOK.post(
                receiver,
                {key: value for key, value in TIKTOK.wrap(TIKTOK.good(1)).items() if key != name},
            )
        )
        assert (code, message) == (40002, f"{name}: is required")
    assert said(TIKTOK.send(receiver, TIKTOK.event(1), event_source_id=""))[0] == 40002


def test_a_test_event_code_counts_nothing(receiver: Receiver) -> None:
    assert said(TIKTOK.send(receiver, *TIKTOK.good(2), test_event_code="TEST1"))[0] == 0
    assert said(TIKTOK.send(receiver, TIKTOK.spoiled(1), test_event_code="TEST1"))[0] == 40002
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (0, 2)


def test_tokens_are_refused_inside_a_200(receiver: Receiver) -> None:
    assert said(TIKTOK.send(receiver, TIKTOK.event(1), token="an-old-token"))[0] == 40105
    assert said(TIKTOK.send(receiver, TIKTOK.event(1), headers={}))[0] == 40104
    assert (
        said(TIKTOK.send(receiver, TIKTOK.event(1), headers={"Authorization": f"Bearer {TOKEN}"}))[
            0
        ]
        == 40104
    )


def test_what_cannot_be_a_token_gets_an_empty_401(receiver: Receiver) -> None:
    answer = TIKTOK.send(receiver, TIKTOK.event(1), token="Bearer of bad news")
    assert (answer.status, answer.body) == (401, "")


def test_throttling_is_a_code_inside_a_200(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    assert said(TIKTOK.send(receiver, TIKTOK.event(1)))[0] == 40100


def test_too_many_events_are_refused_in_its_own_words(receiver: Receiver) -> None:
    assert said(TIKTOK.send(receiver, *[{}] * 1001))[0] == 40002


def test_a_month_is_too_long_and_four_weeks_are_not(receiver: Receiver) -> None:
    assert (
        said(TIKTOK.send(receiver, changed(TIKTOK.event(1), event_time=now(days=28, hours=-1))))[0]
        == 0
    )
