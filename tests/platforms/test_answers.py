"""What the platforms say when something is wrong, and what a run makes of it:
credentials, limits, failures, accounts.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from connector.commands.resolve import resolve
from connector.commands.sync import sync
from connector.delivery.outcome import Delivered, Halt, PerRecord, Retry, Unlocated
from connector.delivery.response import interpret
from connector.delivery.transports.base import HttpResponse
from connector.engine.report import Report
from connector.platforms import loader as platforms
from connector.platforms.answers import Code
from connector.sandbox.faults import Fault
from connector.sandbox.fixtures import fixtures
from connector.sandbox.server import Receiver
from tests.platforms.parts import (
    BATCHING,
    NAMES,
    OPEN,
    SECRETS,
    TOKEN_PATHS,
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
        for (_, event_id), seen in receiver.inbox.arrivals.items()
    }


def untouched(project: Project, receiver: Receiver, report: Report) -> None:
    """Nothing was taken and no row was blamed: the next run begins where this one did."""
    assert (report.delivered, report.rejected, report.complete) == (0, 0, False)
    assert report.mark_to == report.mark_from
    assert quarantined(project) == []
    assert arrived(receiver) == {}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPEN])
def test_wrong_credentials_stop_the_run_and_blame_no_row(
    name: str, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = (
        "X_TOKEN_SECRET"
        if name == "x"
        else "GOOGLE_REFRESH_TOKEN"
        if name in TOKEN_PATHS
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


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (name, case.name)
        for name in NAMES
        for case in fixtures(name)
        if case.kind in ("throttled", "unavailable") and case.name != "throttled"
    ],
)
def test_what_passes_is_waited_for_whatever_the_status(
    name: str, answer: str, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault("answer", answer=answer))
    report = sync(on_receiver(project, receiver, rows(name), name))
    assert (report.failure, report.delivered, report.rejected, report.retries) == (None, 3, 0, 1)


REMEDIES = {
    ("meta", "no_pixel"): "account.pixel_id",
    ("meta", "wrong_token"): "make a new one",
    ("meta", "no_permission"): "no permission for this pixel",
    ("tiktok", "no_permission"): "may not use this event source",
    ("tiktok", "expired_token"): "has expired",
    ("pinterest", "no_permission"): "may not write events",
    ("reddit", "no_permission"): "adsconversions",
    ("reddit", "unknown_field"): "overrides.event",
    ("linkedin", "revoked_token"): "revoked",
    ("linkedin", "old_version"): "overrides.params.version",
    ("amazon", "wrong_token"): "advertising::campaign_management",
    ("amazon", "no_permission"): "account.account_id",
    ("amazon", "denied_at_the_gateway"): "account.account_id",
    ("amazon", "no_such_address"): "check endpoint and its region",
    ("google", "no_permission"): "account.account_id",
    ("google", "no_action"): "account.conversion_action_id",
    ("linkedin", "no_rule_of_this_api"): "Insight Tag",
    ("google", "not_found"): "no such account or conversion action",
    ("microsoft", "wrong_token"): "GetUetTagAuthKey",
    ("x", "wrong_token"): "secrets",
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (name, case.name)
        for name in NAMES
        for case in fixtures(name)
        if case.kind in ("auth", "halted")
    ],
)
def test_what_no_row_can_be_blamed_for_stops_the_run_with_a_remedy(
    name: str, answer: str, project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault("answer", answer=answer, times=100))
    report = sync(on_receiver(project, receiver, rows(name, 30), name))
    assert report.failure is not None
    assert report.failure.exit_code == 3
    assert REMEDIES.get((name, answer), "") in report.failure.message
    untouched(project, receiver, report)
    assert report.http_requests <= (30 if name == "capi" else 2), "nothing of it is halved"


def test_a_policy_block_of_meta_is_told_as_such(project: Project, receiver: Receiver) -> None:
    """Code 368: developers.facebook.com, Graph API, Handling Errors."""
    body = {"error": {"type": "OAuthException", "code": 368, "is_transient": False}}
    receiver.script.add(Fault(status=400, body=body, times=100))
    report = sync(on_receiver(project, receiver, rows("meta", 30), "meta"))
    assert report.failure is not None
    assert "policy" in report.failure.message
    untouched(project, receiver, report)


@pytest.mark.parametrize("code", [9999, 100])
def test_what_meta_calls_transient_is_tried_again(
    code: int, project: Project, receiver: Receiver
) -> None:
    body = {"error": {"type": "OAuthException", "code": code, "is_transient": True}}
    receiver.script.add(Fault(status=400, body=body))
    report = sync(on_receiver(project, receiver, rows("meta"), "meta"))
    assert (report.failure, report.delivered, report.retries) == (None, 3, 1)


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
        "unregistered",
        "userData.em",
        None,
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
            made = on_receiver(project, receiver, rows(name), name, source__start="all")
            if any((project.root / ".capi").glob("state.db")):
                # Another target under the same name is refused until a person lets it begin anew.
                resolve(made, restart="all")
            report = sync(made)
            assert TOKEN not in repr(report)
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err):
        assert TOKEN not in text
        assert "access_token=s" not in text
    for path in (project.root / ".capi").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
