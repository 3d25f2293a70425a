from __future__ import annotations

import uuid
from typing import Any

import pytest

from connector.sandbox.server import Receiver, Settings, running
from tests.sandbox.platforms import (
    ABSENT,
    PLATFORMS,
    TOKEN,
    changed,
    control,
    now,
    oauth1,
    sha,
    x_headers,
)

X = PLATFORMS["x"]
CONSUMER = ("sandbox-consumer-key", "sandbox-consumer-secret")
ACCESS = (TOKEN, "sandbox-token-secret")


def test_success_counts_the_conversions(receiver: Receiver) -> None:
    answer = X.send(receiver, *X.good(3))
    assert answer.status == 200
    assert answer.body["data"].pop("debug_id")
    assert answer.body["data"] == {"conversions_processed": 3}
    assert set(answer.body) == {"data", "request"}


def test_a_bad_conversion_is_not_located(receiver: Receiver) -> None:
    conversions = [X.event(0), X.event(1), X.spoiled(2)]
    answer = X.send(receiver, *conversions)
    assert answer.status == 400
    assert answer.body["errors"] == [
        {"code": "INVALID_PARAMETER", "message": "Hashed_email is not a valid SHA-256 hash"}
    ]
    assert X.send(receiver, *reversed(conversions)).body == answer.body
    assert receiver.inbox.summary()["accepted"] == 0


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"identifiers": []}, "MISSING_PARAMETER", "At least one user identifier must be provided"),
        (
            {"identifiers": [{"ip_address": "203.0.113.9"}, {"user_agent": "Mozilla/5.0"}]},
            "MISSING_PARAMETER",
            "At least one user identifier must be provided",
        ),
        (
            {"identifiers": [{"hashed_phone_number": "+16505551212"}]},
            "INVALID_PARAMETER",
            "Hashed_phone_number is not a valid SHA-256 hash",
        ),
        ({"identifiers": [{"email": sha("x")}]}, "INVALID_PARAMETER", "Email is not a known field"),
        (
            {"event_id": "Purchase!"},
            "INVALID_PARAMETER",
            "Event_id is not a single event tag (SET)",
        ),
        ({"event_id": ABSENT}, "MISSING_PARAMETER", "Event_id is required"),
        ({"conversion_time": ABSENT}, "MISSING_PARAMETER", "Conversion_time is required"),
        ({"value": "a lot"}, "INVALID_PARAMETER", "Value must be a number"),
        ({"number_items": "1"}, "INVALID_PARAMETER", "Number_items must be an integer"),
        ({"price_currency": "eur"}, "INVALID_PARAMETER", "Price_currency must be an ISO 4217 code"),
    ],
)
def test_it_refuses(receiver: Receiver, changes: dict[str, Any], code: str, message: str) -> None:
    answer = X.send(receiver, changed(X.event(1), **changes))
    assert (answer.status, answer.body["errors"]) == (400, [{"code": code, "message": message}])


@pytest.mark.parametrize(
    "moment", [1_700_000_000, "1700000000", "2026-11-24T10:00:00", "24/11/2026"]
)
def test_a_time_has_a_form(receiver: Receiver, moment: Any) -> None:
    assert X.send(receiver, changed(X.event(1), conversion_time=moment)).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"conversion_time": "2022-02-18T01:14:00.603Z"},
        {"event_id": "o87ne"},
        {"value": 12.5},
        {
            "identifiers": [
                {"hashed_email": sha("x")},
                {"ip_address": "203.0.113.9"},
                {"user_agent": "Mozilla/5.0"},
            ]
        },
        {
            "identifiers": [
                {"twclid": "abc"},
                {"ip_address": "203.0.113.9", "user_agent": "Mozilla/5.0"},
            ]
        },
    ],
)
def test_it_takes_however_old_since_no_window_is_documented(
    receiver: Receiver, changes: dict[str, Any]
) -> None:
    assert X.send(receiver, changed(X.event(1), **changes)).status == 200


def test_the_signer_of_these_tests_agrees_with_the_published_example() -> None:
    """From X's own page `Creating a signature`."""
    header = oauth1(
        "POST",
        "https://api.twitter.com/1.1/statuses/update.json?include_entities=true"
        "&status=Hello%20Ladies%20%2B%20Gentlemen%2C%20a%20signed%20OAuth%20request%21",
        ("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
        (
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        ),
        "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        "1318622958",
    )
    assert 'oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"' in header["Authorization"]


def signed(
    receiver: Receiver, path: str = X.path, method: str = "POST", **changes: Any
) -> dict[str, str]:
    """A header as it should be, but for the changes."""
    values = {
        "consumer": CONSUMER,
        "token": ACCESS,
        "nonce": uuid.uuid4().hex,
        "stamp": str(now()),
        **changes,
    }
    return oauth1(
        method,
        receiver.url + path,
        values["consumer"],
        values["token"],
        values["nonce"],
        values["stamp"],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"consumer": ("another", CONSUMER[1])},
        {"consumer": (CONSUMER[0], "another")},
        {"token": ("another", ACCESS[1])},
        {"token": (ACCESS[0], "another")},
        {"stamp": str(now(hours=1))},
        {"stamp": str(now(hours=-1))},
        {"stamp": "soon"},
        {"nonce": ""},
        {"method": "GET"},
        {"path": "/12/measurement/conversions/another"},
    ],
)
def test_a_signature_must_be_right_in_every_part(
    receiver: Receiver, changes: dict[str, Any]
) -> None:
    answer = X.send(receiver, X.event(1), headers=signed(receiver, **changes))
    assert (answer.status, answer.body["errors"][0]["code"]) == (401, "UNAUTHORIZED_ACCESS")
    assert X.send(receiver, X.event(1), headers=signed(receiver)).status == 200


def test_a_signature_is_good_for_one_request(receiver: Receiver) -> None:
    headers = signed(receiver)
    assert [X.send(receiver, X.event(1), headers=headers).status for _ in range(2)] == [200, 401]


def test_the_query_is_signed_and_the_body_is_not(receiver: Receiver) -> None:
    path = f"{X.path}?tracking=a%20b%2Fc"
    assert X.send(receiver, X.event(1), path=path).status == 200
    assert X.send(receiver, X.event(1), path=path, headers=signed(receiver)).status == 401
    headers = signed(receiver)
    assert (
        X.send(
            receiver, changed(X.event(1), description="said after signing"), headers=headers
        ).status
        == 200
    )


@pytest.mark.parametrize(
    "header", ["OAuth", "OAuth oauth_token", f"Bearer {TOKEN}", 'OAuth oauth_signature="x"', ""]
)
def test_other_headers_are_refused(receiver: Receiver, header: str) -> None:
    assert X.send(receiver, X.event(1), headers={"Authorization": header}).status == 401


def test_the_token_of_a_pixel_is_enough(receiver: Receiver) -> None:
    assert X.send(receiver, X.event(1), headers={"X-Pixel-Token": TOKEN}).status == 200
    assert X.send(receiver, X.event(1), headers={"X-Pixel-Token": "an-old-token"}).status == 401


def test_secrets_are_settings() -> None:
    with running(Settings(port=0, consumer_secret="own & odd", token_secret="ünïcode")) as receiver:
        assert X.send(receiver, X.event(1)).status == 401
        headers = signed(receiver, consumer=(CONSUMER[0], "own & odd"), token=(TOKEN, "ünïcode"))
        assert X.send(receiver, X.event(1), headers=headers).status == 200


def test_it_counts_to_five_hundred(receiver: Receiver) -> None:
    answer = X.send(receiver, *[{}] * 501)
    assert (answer.status, answer.body["errors"]) == (
        400,
        [{"code": "INVALID_PARAMETER", "message": "Conversion count limit is 500"}],
    )


def test_throttling_is_a_429(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = X.send(receiver, X.event(1), headers=x_headers(receiver.url + X.path, TOKEN))
    assert (answer.status, set(answer.body["errors"][0])) == (429, {"code", "message"})
