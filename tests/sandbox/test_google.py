from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.sandbox.server import Receiver, Settings, running
from tests.sandbox.platforms import (
    ABSENT,
    PLATFORMS,
    Answer,
    base64_sha,
    call,
    changed,
    control,
    google_token,
    sha,
)

GOOGLE = PLATFORMS["google"]


def bearer(receiver: Receiver) -> dict[str, str]:
    return {"Authorization": f"Bearer {google_token(receiver.url).body['access_token']}"}


def details(answer: Answer) -> list[str]:
    """The kinds of details of a refusal."""
    assert answer.status == 400
    assert (answer.body["error"]["code"], answer.body["error"]["status"]) == (
        400,
        "INVALID_ARGUMENT",
    )
    return [detail["@type"].rpartition(".")[2] for detail in answer.body["error"]["details"]]


def violations(answer: Answer) -> list[tuple[str, str | None]]:
    """Fields and reasons."""
    bad_request = answer.body["error"]["details"][-1]
    return [
        (violation["field"], violation.get("reason"))
        for violation in bad_request["fieldViolations"]
    ]


def ago(**span: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**span)).isoformat()


def test_success_is_a_request_id(receiver: Receiver) -> None:
    answer = GOOGLE.send(receiver, *GOOGLE.good(3))
    assert answer.status == 200
    assert set(answer.body) == {"requestId"}


def test_events_are_located_by_their_violations(receiver: Receiver) -> None:
    answer = GOOGLE.send(
        receiver, GOOGLE.event(0), GOOGLE.spoiled(1), GOOGLE.event(2), GOOGLE.spoiled(3)
    )
    assert details(answer) == ["ErrorInfo", "RequestInfo", "BadRequest"]
    assert violations(answer) == [
        ("events[1].currency", "INVALID_CURRENCY_CODE"),
        ("events[3].currency", "INVALID_CURRENCY_CODE"),
    ]
    assert answer.body["error"]["details"][1]["requestId"]
    assert receiver.inbox.summary()["accepted"] == 0


def test_what_cannot_be_read_is_reported_first_and_without_reasons(receiver: Receiver) -> None:
    unread = changed(GOOGLE.event(1), colour="red", userData__userIdentifiers=[{"email": sha("x")}])
    answer = GOOGLE.send(
        receiver, GOOGLE.spoiled(0), unread, changed(GOOGLE.event(2), eventSource="EMAIL")
    )
    assert details(answer) == ["BadRequest"]
    assert set(violations(answer)) == {
        ("events[1].colour", None),
        ("events[1].userData.userIdentifiers[0].email", None),
        ("events[2].eventSource", None),
    }


def test_one_kind_of_mistake_is_reported_at_a_time(receiver: Receiver) -> None:
    answer = GOOGLE.send(
        receiver, GOOGLE.spoiled(0), changed(GOOGLE.event(1), eventTimestamp=ABSENT)
    )
    assert violations(answer) == [("events[0].currency", "INVALID_CURRENCY_CODE")]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"eventTimestamp": ABSENT}, "eventTimestamp", "REQUIRED_FIELD_MISSING"),
        ({"eventTimestamp": "2026-11-24T10:00:00"}, "eventTimestamp", "INVALID_FORMAT"),
        ({"eventTimestamp": "2026-11-24 10:00:00+00:00"}, "eventTimestamp", "INVALID_FORMAT"),
        ({"eventTimestamp": "2026-13-24T10:00:00Z"}, "eventTimestamp", "INVALID_FORMAT"),
        (
            {"userData__userIdentifiers": []},
            "userData.userIdentifiers",
            "TOO_MANY_USER_IDENTIFIERS",
        ),
        (
            {"userData__userIdentifiers": [{"emailAddress": "person@example.org"}]},
            "userData.userIdentifiers[0].emailAddress",
            "INVALID_SHA256_FORMAT",
        ),
        (
            {"userData__userIdentifiers": [{"emailAddress": base64_sha("x")}]},
            "userData.userIdentifiers[0].emailAddress",
            "INVALID_SHA256_FORMAT",
        ),
        (
            {"userData__userIdentifiers": [{"emailAddress": sha("x"), "phoneNumber": sha("y")}]},
            "userData.userIdentifiers[0]",
            "INVALID_ARGUMENT",
        ),
        (
            {"userData__userIdentifiers": [{"emailAddress": sha(str(n))} for n in range(11)]},
            "userData.userIdentifiers",
            "TOO_MANY_USER_IDENTIFIERS",
        ),
        ({"userData": ABSENT, "adIdentifiers": ABSENT}, "", "NO_IDENTIFIERS_PROVIDED"),
        ({"conversionValue": "12.50"}, "conversionValue", None),
        ({"consent": {"adUserData": "GRANTED"}}, "consent.adUserData", None),
        ({"adIdentifiers": {"fbclid": "x"}}, "adIdentifiers.fbclid", None),
    ],
)
def test_it_refuses(
    receiver: Receiver, changes: dict[str, Any], field: str, reason: str | None
) -> None:
    answer = GOOGLE.send(receiver, changed(GOOGLE.event(1), **changes))
    assert violations(answer) == [(f"events[0].{field}".rstrip("."), reason)]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"encoding": ABSENT}, "encoding", "REQUIRED_FIELD_MISSING"),
        ({"encoding": "hex"}, "encoding", None),
        ({"destinations": ABSENT}, "destinations", "REQUIRED_FIELD_MISSING"),
        ({"destinations": []}, "destinations", "INVALID_DESTINATION"),
        (
            {
                "destinations": [
                    {
                        "operatingAccount": {
                            "accountType": "GOOGLE_ADS",
                            "accountId": "123-456-7890",
                        },
                        "productDestinationId": "42",
                    }
                ]
            },
            "destinations[0].operatingAccount.accountId",
            "INVALID_NUMBER_FORMAT",
        ),
        ({"validate_only": True}, "validate_only", None),
    ],
)
def test_the_envelope_is_checked(
    receiver: Receiver, body: dict[str, Any], field: str, reason: str | None
) -> None:
    answer = GOOGLE.post(receiver, changed(GOOGLE.wrap(GOOGLE.good(1)), **body))
    assert violations(answer) == [(field, reason)]


def test_digests_may_be_base64_where_the_request_says_so(receiver: Receiver) -> None:
    hexed, based = (
        GOOGLE.event(1),
        changed(
            GOOGLE.event(2),
            userData__userIdentifiers=[{"emailAddress": base64_sha("person@example.org")}],
        ),
    )
    assert GOOGLE.send(receiver, based, encoding="BASE64").status == 200
    assert GOOGLE.send(receiver, hexed, encoding="BASE64").status == 400
    without = changed(GOOGLE.event(3), userData=ABSENT)
    assert GOOGLE.post(receiver, changed(GOOGLE.wrap([without]), encoding=ABSENT)).status == 200


def test_validate_only_counts_nothing_and_has_no_request_id(receiver: Receiver) -> None:
    answer = GOOGLE.send(receiver, *GOOGLE.good(2), validateOnly=True)
    assert (answer.status, answer.body) == (200, {})
    assert GOOGLE.send(receiver, GOOGLE.spoiled(1), validateOnly=True).status == 400
    assert (receiver.inbox.summary()["accepted"], receiver.inbox.summary()["validated"]) == (0, 2)


@pytest.mark.parametrize(
    ("old", "young", "status"), [(0, 2, "SUCCESS"), (1, 2, "PARTIAL_SUCCESS"), (2, 0, "FAILED")]
)
def test_the_fate_of_a_request_is_told_later_in_counts(
    receiver: Receiver, old: int, young: int, status: str
) -> None:
    events = [
        changed(GOOGLE.event(number), eventTimestamp=ago(days=100 if number < old else 1))
        for number in range(old + young)
    ]
    request_id = GOOGLE.send(receiver, *events).body["requestId"]
    ask = f"{receiver.url}/v1/requestStatus:retrieve?requestId={request_id}"
    first, second = (
        call("GET", ask, headers=bearer(receiver)).body["requestStatusPerDestination"]
        for _ in range(2)
    )
    assert [one["requestStatus"] for one in first] == ["PROCESSING"]
    assert [one["requestStatus"] for one in second] == [status]
    assert second[0]["destination"]["productDestinationId"] == "42"
    assert second[0]["eventsIngestionStatus"] == {"recordCount": str(old + young)}
    counts = second[0].get("errorInfo", {}).get("errorCounts", [])
    assert counts == (
        [{"recordCount": str(old), "reason": "PROCESSING_ERROR_REASON_EVENT_TOO_OLD"}]
        if old
        else []
    )


def test_a_request_that_nobody_made_has_no_fate(receiver: Receiver) -> None:
    ask = f"{receiver.url}/v1/requestStatus:retrieve?requestId=unheard-of"
    assert call("GET", ask, headers=bearer(receiver)).status == 404
    assert call("GET", ask).status == 401


def test_a_token_is_had_for_a_refresh_token(receiver: Receiver) -> None:
    answer = google_token(receiver.url)
    assert answer.status == 200
    assert set(answer.body) == {"access_token", "expires_in", "scope", "token_type"}
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 3600)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"client_secret": "another"}, 401, "invalid_client"),
        ({"refresh_token": "revoked"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_no_token_is_had_otherwise(
    receiver: Receiver, changes: dict[str, str], status: int, error: str
) -> None:
    answer = google_token(receiver.url, **changes)
    assert (answer.status, answer.body["error"]) == (status, error)


def test_only_a_token_that_was_given_out_is_accepted(receiver: Receiver) -> None:
    answer = GOOGLE.send(
        receiver, GOOGLE.event(1), headers={"Authorization": "Bearer sandbox-token"}
    )
    assert (answer.status, answer.body["error"]["code"], answer.body["error"]["status"]) == (
        401,
        401,
        "UNAUTHENTICATED",
    )


def test_a_token_expires_when_told_to_and_another_can_be_had(receiver: Receiver) -> None:
    headers = bearer(receiver)
    assert GOOGLE.send(receiver, GOOGLE.event(1), headers=headers).status == 200
    control(receiver, expire_tokens=True)
    assert GOOGLE.send(receiver, GOOGLE.event(2), headers=headers).status == 401
    assert GOOGLE.send(receiver, GOOGLE.event(2), headers=bearer(receiver)).status == 200


def test_a_token_expires_by_itself() -> None:
    with running(Settings(port=0, token_lifetime=0)) as receiver:
        assert GOOGLE.send(receiver, GOOGLE.event(1)).status == 401


def test_the_token_endpoint_fails_only_when_it_is_named(receiver: Receiver) -> None:
    control(receiver, faults=[{"status": 500}])
    assert google_token(receiver.url).status == 200
    control(receiver, faults=[{"status": 502, "path": "/oauth2/token"}])
    assert google_token(receiver.url).status == 502
    assert google_token(receiver.url).status == 200


def test_throttling_is_resource_exhausted(receiver: Receiver) -> None:
    control(receiver, faults=[{"kind": "throttle"}])
    answer = GOOGLE.send(receiver, GOOGLE.event(1))
    assert (answer.status, answer.body["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


def test_too_many_events_are_a_violation_of_events(receiver: Receiver) -> None:
    assert violations(GOOGLE.send(receiver, *[{}] * 2001)) == [("events", "TOO_MANY_EVENTS")]
