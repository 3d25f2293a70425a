"""What the platforms say when something is wrong, and what a run makes of it: credentials, limits, failures, accounts."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from connector.commands.sync import sync
from connector.delivery.outcome import Delivered, Halt, PerRecord, Retry, Unlocated
from connector.delivery.response import interpret
from connector.delivery.transports.base import HttpResponse
from connector.engine.report import Report
from connector.platforms import loader as platforms
from connector.platforms.answers import Code
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    BATCHING,
    NAMES,
    SECRETS,
    minimal,
    on_receiver,
    quarantined,
    recent,
)
from tests.support.projects import TOKEN, Project
from tests.support.servers import closed_port

RECORDS = [b'{"id":"a"}', b'{"id":"b"}']


def rows(name: str, count: int = 3) -> list[dict[str, Any]]:
    return [
        recent(minimal(name, conversion_id=f"c{number}", event_id=f"e{number}"))
        for number in range(count)
    ]


def arrived(receiver: Receiver) -> dict[str, tuple[int, int]]:
    """Event id -> copies that came, and how many of those differed."""
    return {
        event_id: (seen.copies, seen.conflicts)
        for (_, event_id), seen in receiver.ledger.arrivals.items()
    }


def untouched(project: Project, receiver: Receiver, report: Report) -> None:
    """Nothing was taken and no row was blamed: the next run begins where this one did."""
    assert (report.delivered, report.rejected, report.complete) == (0, 0, False)
    assert report.mark_to == report.mark_from
    assert quarantined(project) == []
    assert arrived(receiver) == {}


@pytest.mark.parametrize("name", NAMES)
def test_wrong_credentials_stop_the_run_and_blame_no_row(
    name: str, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = (
        "X_TOKEN_SECRET"
        if name == "x"
        else "GOOGLE_REFRESH_TOKEN"
        if name == "google"
        else "ACME_TOKEN"
    )
    monkeypatch.setenv(wrong, "not-the-one")
    destination = on_receiver(project, receiver, rows(name), name)
    report = sync(destination)
    assert report.failure is not None
    assert (report.failure.kind, report.failure.exit_code) == ("EndpointError", 3)
    assert "credentials" in report.failure.message or "access token" in report.failure.message
    assert "not-the-one" not in report.failure.message
    untouched(project, receiver, report)
    monkeypatch.setenv(wrong, SECRETS[wrong])
    assert sync(destination).delivered == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_platform_that_has_had_enough_is_asked_again_later(
    name: str, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault("throttle", headers={"Retry-After": "0"}))
    report = sync(on_receiver(project, receiver, rows(name), name))
    assert (report.failure, report.delivered, report.rejected, report.ambiguous) == (None, 3, 0, 0)
    assert report.retries == 1
    assert arrived(receiver) == {f"e{number}": (1, 0) for number in range(3)}


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_says_nothing_is_followed_by_the_same_bytes(
    name: str, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault("garbage", take=True))
    report = sync(on_receiver(project, receiver, rows(name), name))
    assert (report.failure, report.delivered, report.rejected, report.ambiguous) == (None, 3, 0, 1)
    assert sorted(copies for copies, _ in arrived(receiver).values())[-1] == 2
    assert all(conflicts == 0 for _, conflicts in arrived(receiver).values())


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("name", BATCHING)
def test_a_server_that_fails_is_asked_again(
    name: str, status: int, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=status, body="<html>upstream</html>"))
    report = sync(on_receiver(project, receiver, rows(name), name))
    assert (report.failure, report.delivered, report.retries, report.ambiguous) == (
        None,
        3,
        1,
        int(status == 500),
    )


META = {"type": "OAuthException", "code": 2, "is_transient": False}


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("meta", 400, {"error": {**META, "code": 4}}),
        ("meta", 400, {"error": {**META, "code": 80004, "error_subcode": 2446079}}),
        ("meta", 400, {"error": {**META, "code": 9999, "is_transient": True}}),
        ("meta", 400, {"error": {**META, "code": 100, "is_transient": True}}),
        ("tiktok", 200, {"code": 40100, "message": "Too many requests"}),
        ("tiktok", 200, {"code": 51305, "message": "Internal"}),
        ("pinterest", 429, {"code": 8, "message": "rate limit"}),
        ("pinterest", 503, {"code": 4197, "message": "unavailable"}),
        ("google", 429, {"error": {"status": "RESOURCE_EXHAUSTED"}}),
        ("google", 503, {"error": {"status": "UNAVAILABLE"}}),
    ],
)
def test_codes_that_pass_are_waited_for_whatever_the_status(
    name: str, status: int, body: Any, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=status, body=body))
    report = sync(on_receiver(project, receiver, rows(name), name))
    assert (report.failure, report.delivered, report.rejected, report.retries) == (None, 3, 0, 1)


@pytest.mark.parametrize(
    ("name", "status", "body", "remedy"),
    [
        (
            "meta",
            400,
            {"error": {**META, "code": 100, "error_subcode": 33, "type": "GraphMethodException"}},
            "account.pixel_id",
        ),
        ("meta", 400, {"error": {**META, "code": 190, "error_subcode": 460}}, "make a new one"),
        ("meta", 403, {"error": {**META, "code": 200}}, "no permission for this pixel"),
        ("meta", 400, {"error": {**META, "code": 368}}, "policy"),
        (
            "tiktok",
            200,
            {"code": 40001, "message": "No permission"},
            "may not use this event source",
        ),
        ("tiktok", 401, b"", ""),
        (
            "snapchat",
            401,
            {"status": "INVALID", "errors": {"codes": ["401"], "error_msgs": ["no"]}},
            "",
        ),
        ("pinterest", 403, {"code": 29, "message": "no"}, "may not write events"),
        ("reddit", 401, b"Authorization Required", ""),
        (
            "reddit",
            403,
            {"success": False, "error": {"reason": "FORBIDDEN", "explanation": "types"}},
            "",
        ),
        (
            "linkedin",
            401,
            {"serviceErrorCode": 65601, "status": 401, "code": "REVOKED_ACCESS_TOKEN"},
            "revoked",
        ),
        (
            "linkedin",
            426,
            {"code": "NONEXISTENT_VERSION", "status": 426},
            "overrides.params.version",
        ),
        ("google", 403, {"error": {"status": "PERMISSION_DENIED"}}, "account.account_id"),
        ("google", 404, {"error": {"status": "NOT_FOUND"}}, "no such account or conversion action"),
        ("microsoft", 401, {"error": {"code": "Unauthorized"}, "traceId": "t"}, "GetUetTagAuthKey"),
        ("openai", 401, {"errors": [{"code": "unauthorized", "message": "no"}]}, ""),
        ("x", 401, {"errors": [{"code": "UNAUTHORIZED_ACCESS", "message": "no"}]}, "secrets"),
        ("x", 403, {"errors": [{"code": "FORBIDDEN", "message": "no"}]}, ""),
    ],
)
def test_what_no_row_can_be_blamed_for_stops_the_run_with_a_remedy(
    name: str, status: int, body: Any, remedy: str, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(
        Fault(status=status, body=body.decode() if isinstance(body, bytes) else body, times=100)
    )
    report = sync(on_receiver(project, receiver, rows(name, 30), name))
    assert report.failure is not None
    assert report.failure.exit_code == 3
    assert remedy in report.failure.message
    untouched(project, receiver, report)
    assert report.http_requests <= 2, "nothing of it is halved"


def test_a_dead_endpoint_stops_the_run_and_blames_no_row(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.delivery.retry.BACKOFF_BASE", 0.0)
    receiver.url = f"http://127.0.0.1:{closed_port()}"
    report = sync(on_receiver(project, receiver, rows("capi"), "capi"))
    assert report.failure is not None
    assert (report.failure.kind, report.failure.exit_code) == ("EndpointError", 3)
    assert "check the endpoint's name and port" in report.failure.message
    untouched(project, receiver, report)


REDDIT = platforms.load("reddit").answers
EVENTS = [
    b'{"event_at":1,"metadata":{"conversion_id":"a"}}',
    b'{"event_at":2,"metadata":{"conversion_id":"b"}}',
]
NONE_PROCESSED = "There were 1 invalid conversion events. None were processed."


def reddit(status: int, body: Any, records: list[bytes] = EVENTS) -> Any:
    headers = {"content-type": "application/json"}
    return interpret(HttpResponse(status, headers, orjson.dumps(body)), records, REDDIT, 0)


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        # v3: Reddit's "Direct integration" page, and a live run logged by Segment's engineers
        ({"data": {"message": "Successfully processed 2 conversion events."}}, True),
        # v2: RudderStack's recorded answers
        ({"message": "Successfully processed 2 conversion events."}, True),
        ({"data": {"message": "Successfully processed 1 conversion events."}}, False),
        ({"data": {"message": ""}}, False),
        ({"data": {}}, False),
    ],
)
def test_reddit_says_yes_in_the_old_and_the_new_way(body: Any, taken: bool) -> None:
    assert isinstance(reddit(200, body), Delivered) == taken


def test_reddit_names_the_place_of_a_bad_event() -> None:
    """As logged by Segment's engineers for v3, and by RudderStack's for v2."""
    fields = [{"field": "$.data.events[1].user.UUID", "message": "user.UUID: invalid UUID"}]
    new = {"error": {"code": 400, "message": NONE_PROCESSED, "fields": fields}}
    echo = {"event_at": 2, "metadata": {"conversion_id": "b"}}
    invalid = [{"error_message": "event_at timestamp is too old", "event": echo}]
    old = {"message": NONE_PROCESSED, "invalid_events": invalid}
    found = reddit(400, new)
    assert isinstance(found, PerRecord)
    assert (found.delivered, dict(found.refused)) == (
        frozenset(),
        {1: ("400", "user.UUID: invalid UUID", "user.UUID")},
    )
    found = reddit(400, old)
    assert isinstance(found, PerRecord)
    assert (found.delivered, list(found.refused)) == (frozenset(), [1])
    assert found.refused[1].message == "event_at timestamp is too old"


def test_reddit_refuses_a_key_that_every_row_has_without_a_search_for_the_bad_one() -> None:
    said = 'JSON error "unknown field" on field "value_decimal"'
    found = reddit(400, {"error": {"code": 400, "message": said}})
    assert isinstance(found, Halt)
    assert "overrides.event" in found.why
    assert isinstance(reddit(400, {"error": {"code": 400, "message": "Bad Request"}}), Unlocated)


def test_a_wrong_app_secret_blames_no_row(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("META_APP_SECRET", "another")
    report = sync(on_receiver(project, receiver, rows("meta"), "meta"))
    assert report.failure is not None
    assert "auth.app_secret" in report.failure.message
    untouched(project, receiver, report)


def test_a_rule_that_nobody_has_is_told_as_such(project: Project, receiver: Receiver) -> None:
    report = sync(
        on_receiver(project, receiver, rows("linkedin"), "linkedin", events={"Purchase": "0"})
    )
    assert report.failure is not None
    assert "rule id under `events` does not exist" in report.failure.message
    untouched(project, receiver, report)


def test_a_version_that_was_retired_is_told_as_such(project: Project, receiver: Receiver) -> None:
    report = sync(
        on_receiver(
            project,
            receiver,
            rows("linkedin"),
            "linkedin",
            overrides={"params": {"version": "202401"}},
        )
    )
    assert report.failure is not None
    assert "overrides.params.version" in report.failure.message
    untouched(project, receiver, report)


def test_a_whole_refusal_of_microsoft_takes_nobody(project: Project, receiver: Receiver) -> None:
    details = [
        {
            "index": 1,
            "propertyName": "data[1].userData.em",
            "errorMessage": "no",
            "errorCode": "InvalidValue",
            "isWarning": False,
        }
    ]
    receiver.script.add(
        Fault(
            status=400, body={"error": {"code": "BadRequest", "message": "no", "details": details}}
        )
    )
    report = sync(on_receiver(project, receiver, rows("microsoft"), "microsoft"))
    assert (report.delivered, report.rejected) == (2, 1)
    assert arrived(receiver) == {"e0": (1, 0), "e2": (1, 0)}
    (entry,) = quarantined(project)
    assert (entry["code"], entry["field"], entry["message"]) == (
        "InvalidValue",
        "data[1].userData.em",
        "no",
    )


KNOWN = [(name, code) for name in NAMES for code in platforms.load(name).answers.codes.known]


@pytest.mark.parametrize(("name", "code"), KNOWN, ids=lambda value: str(value))
def test_every_registered_code_is_understood_as_it_is_registered(name: str, code: str) -> None:
    spec = platforms.load(name).answers
    known: Code = spec.codes.known[code]
    found = False
    for path in spec.codes.path:
        if len(path.split("/")) != len(code.split("/")):
            continue
        body = body_with(path, code.replace("*", "7"))
        for status in (200, 400, 500):
            outcome = interpret(
                HttpResponse(status, {"content-type": "application/json"}, orjson.dumps(body)),
                RECORDS,
                spec,
                0,
            )
            expected: Any = {
                "retry": Retry,
                "ambiguous": Retry,
                "auth": Halt,
                "halt": Halt,
                "refused": (Unlocated, PerRecord),
                "delivered": Delivered,
            }[known.means]
            found |= isinstance(outcome, expected)
            if isinstance(outcome, Halt):
                assert known.remedy
                assert known.remedy in outcome.why
                assert outcome.auth == (known.means == "auth")
    assert found


def body_with(path: str, code: str) -> dict[str, Any]:
    """A body in which a code stands at a path; `a/b` are two places."""
    body: dict[str, Any] = {}
    for place, part in zip(path.split("/"), code.split("/"), strict=True):
        *parents, last = place.split(".")
        holder: Any = body
        for index, key in enumerate(parents):
            following = [*parents, last][index + 1]
            if isinstance(holder, list):
                holder.append([] if following == "0" else {})
                holder = holder[0]
            else:
                holder = holder.setdefault(key, [] if following == "0" else {})
        if isinstance(holder, list):
            holder.append(part)
        else:
            holder[last] = part
    return body


def test_no_secret_is_logged_whatever_happens(
    project: Project,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for fault in (
        None,
        Fault("reset"),
        Fault("truncate"),
        Fault("redirect"),
        Fault(status=500),
        Fault("throttle", headers={"Retry-After": "x"}),
    ):
        receiver.script.clear()
        if fault is not None:
            receiver.script.add(fault)
        for name in ("snapchat", "meta"):
            report = sync(on_receiver(project, receiver, rows(name), name, source__start="all"))
            assert TOKEN not in repr(report)
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err):
        assert TOKEN not in text
        assert "access_token=s" not in text
    for path in (project.root / ".capi").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
