from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.server import Receiver
from tests.sandbox.platforms import (
    ABSENT,
    PLATFORMS,
    TOKEN,
    changed,
    control,
    linkedin_headers,
    now,
    sha,
)

LINKEDIN = PLATFORMS["linkedin"]
SINGLE = {
    name: value for name, value in linkedin_headers("", TOKEN).items() if name != "X-RestLi-Method"
}


def test_a_batch_has_a_status_for_each(receiver: Receiver) -> None:
    answer = LINKEDIN.send(receiver, *LINKEDIN.good(3))
    assert (answer.status, answer.body) == (200, {"elements": [{"status": 201}] * 3})


def test_a_single_event_gets_an_empty_201(receiver: Receiver) -> None:
    answer = LINKEDIN.post(receiver, LINKEDIN.event(1), headers=SINGLE)
    assert (answer.status, answer.body) == (201, "")
    assert receiver.inbox.summary()["events"] == 1


def test_every_problem_of_every_event_has_its_line(receiver: Receiver) -> None:
    two = changed(
        LINKEDIN.event(1), conversionValue={"currencyCode": "EUR", "amount": 12.5}, colour="red"
    )
    answer = LINKEDIN.send(
        receiver,
        LINKEDIN.event(0),
        two,
        changed(LINKEDIN.event(2), user__userIds=[{"idType": "SHA256_EMAIL", "idValue": "x"}]),
    )
    assert (answer.status, answer.body["status"]) == (422, 422)
    assert [line.rpartition(" :: ")[0] for line in answer.body["message"].splitlines()] == [
        "Index: 1, ERROR :: /conversionValue/amount",
        "Index: 1, ERROR :: /colour",
        "Index: 2, ERROR :: /user/userIds/0/idValue",
    ]
    assert receiver.inbox.summary()["accepted"] == 0


def test_the_lines_of_a_single_event_have_no_index(receiver: Receiver) -> None:
    answer = LINKEDIN.post(
        receiver, changed(LINKEDIN.event(1), conversionValue__amount=12.5), headers=SINGLE
    )
    assert (answer.status, answer.body["message"]) == (
        422,
        "ERROR :: /conversionValue/amount :: must be a string\n",
    )


def test_times_are_refused_by_their_indices(receiver: Receiver) -> None:
    old, late = (
        changed(LINKEDIN.event(0), conversionHappenedAt=now(days=90, minutes=1) * 1000),
        changed(LINKEDIN.event(2), conversionHappenedAt=now(minutes=-1) * 1000),
    )
    answer = LINKEDIN.send(receiver, old, LINKEDIN.event(1), late)
    assert answer.status == 400
    assert answer.body == {
        "message": "Conversion time should be within 90 days and not exceed current time, indices"
        " [0, 2] (0-indexed).",
        "status": 400,
    }


def test_a_rule_that_nobody_has_reads_like_a_problem_of_the_account(receiver: Receiver) -> None:
    answer = LINKEDIN.send(
        receiver, changed(LINKEDIN.event(1), conversion="urn:lla:llaPartnerConversion:0")
    )
    assert (answer.status, answer.body["message"]) == (403, "No ad accounts found")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"conversion": "104012"}, "/conversion"),
        ({"conversion": ABSENT}, "/conversion"),
        ({"conversionHappenedAt": ABSENT}, "/conversionHappenedAt"),
        ({"conversionHappenedAt": "1700000000000"}, "/conversionHappenedAt"),
        ({"user__userIds": ABSENT}, "/user/userIds"),
        ({"user": {"userIds": []}}, "/user/userIds"),
        (
            {"user__userIds": [{"idType": "SHA256_PHONE", "idValue": sha("1")}]},
            "/user/userIds/0/idType",
        ),
        (
            {"user__userIds": [{"idType": "SHA256_EMAIL", "idValue": sha("x").upper()}]},
            "/user/userIds/0/idValue",
        ),
        (
            {"user__userIds": [{"idType": "SHA256_EMAIL", "idValue": sha("x"), "x": 1}]},
            "/user/userIds/0/x",
        ),
        ({"user__userInfo": {"firstName": "Ada"}}, "/user/userInfo/lastName"),
        ({"user__userInfo__city": "London"}, "/user/userInfo/city"),
        ({"user__externalIds": ["1", "2"]}, "/user/externalIds"),
        ({"conversionValue": {"currencyCode": "EUR"}}, "/conversionValue/amount"),
        ({"eventName": "Purchase"}, "/eventName"),
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any], path: str) -> None:
    answer = LINKEDIN.send(receiver, changed(LINKEDIN.event(1), **changes))
    assert answer.status == 422
    assert answer.body["message"].startswith(f"Index: 0, ERROR :: {path} :: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"user": {"userIds": [], "userInfo": {"firstName": "Ada", "lastName": "Example"}}},
        {"user": {"userIds": [{"idType": "PLAINTEXT_IP_ADDRESS", "idValue": "300.300.300.300"}]}},
        {"conversionValue": {"currencyCode": "BOGUS", "amount": "1"}},
        {"conversionValue": ABSENT},
        {"conversionHappenedAt": now(days=90, hours=-1) * 1000},
    ],
)
def test_it_takes_and_does_not_look_closer(receiver: Receiver, changes: dict[str, Any]) -> None:
    assert LINKEDIN.send(receiver, changed(LINKEDIN.event(1), **changes)).status == 200


def without(name: str, **others: str) -> dict[str, str]:
    return {
        key: value for key, value in linkedin_headers("", TOKEN).items() if key != name
    } | others


def test_the_version_is_part_of_every_request(receiver: Receiver) -> None:
    missing = LINKEDIN.send(receiver, LINKEDIN.event(1), headers=without("LinkedIn-Version"))
    assert (missing.status, missing.body["code"]) == (400, "VERSION_MISSING")
    for version in ("202511", "2026-08", "202613"):
        answer = LINKEDIN.send(
            receiver,
            LINKEDIN.event(1),
            headers=without("LinkedIn-Version", **{"LinkedIn-Version": version}),
        )
        assert (answer.status, answer.body["status"]) == (426, 426)
    assert (
        LINKEDIN.send(
            receiver, LINKEDIN.event(1), headers=without("X-Restli-Protocol-Version")
        ).status
        == 400
    )
    assert receiver.inbox.summary()["accepted"] == 0


def test_elements_without_the_method_are_an_unknown_field(receiver: Receiver) -> None:
    answer = LINKEDIN.send(receiver, LINKEDIN.event(1), headers=SINGLE)
    assert answer.status == 422
    assert "ERROR :: /elements :: " in answer.body["message"]
    assert LINKEDIN.post(receiver, LINKEDIN.event(1)).status == 400


def test_a_batch_has_at_most_a_hundred_rules(receiver: Receiver) -> None:
    events = [
        changed(LINKEDIN.event(number), conversion=f"urn:lla:llaPartnerConversion:{number}")
        for number in range(1, 102)
    ]
    assert LINKEDIN.send(receiver, *events[:100]).status == 200
    assert LINKEDIN.send(receiver, *events).status == 400


def test_tokens_and_throttles_have_their_shapes(receiver: Receiver) -> None:
    wrong = LINKEDIN.send(receiver, LINKEDIN.event(1), token="an-old-token")
    assert (wrong.status, wrong.body["status"], wrong.body["serviceErrorCode"]) == (401, 401, 65600)
    control(receiver, faults=[{"kind": "throttle"}])
    throttled = LINKEDIN.send(receiver, LINKEDIN.event(1))
    assert (throttled.status, throttled.body["status"]) == (429, 429)


def test_too_many_events_are_a_400(receiver: Receiver) -> None:
    answer = LINKEDIN.send(receiver, *[{}] * 5001)
    assert (answer.status, set(answer.body)) == (400, {"message", "status"})
