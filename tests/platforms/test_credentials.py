"""Every scheme of credentials against a receiver that checks it:
fetched, signed, proven, renewed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from typing import Any

import orjson
import pytest

from connector.commands.sync import sync
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.platforms.parts import SECRETS, fill, minimal, on_receiver, quarantined, recent
from tests.support.projects import Project
from tests.support.servers import Reply, Request, answering, serving

UNAUTHENTICATED = {
    "error": {
        "code": 401,
        "status": "UNAUTHENTICATED",
        "message": "Request had invalid authentication credentials.",
    }
}


def rows(name: str, count: int = 3) -> list[dict[str, Any]]:
    return [
        recent(minimal(name, conversion_id=f"c{number:03d}", event_id=f"e{number}"))
        for number in range(count)
    ]


def once_each(receiver: Receiver, count: int) -> bool:
    """Whether every conversion came exactly once."""
    return {event_id: seen.copies for (_, event_id), seen in receiver.inbox.arrivals.items()} == {
        f"e{number}": 1 for number in range(count)
    }


# OAuth 2.0


def test_one_token_serves_a_whole_run(project: Project, receiver: Receiver) -> None:
    report = sync(
        on_receiver(project, receiver, rows("google", 40), "google", delivery={"batch_size": 2})
    )
    assert (report.failure, report.delivered, report.http_requests) == (None, 40, 20)
    assert len(receiver.state.access) == 1, "also to ask for results with"
    assert once_each(receiver, 40)


def test_a_token_that_ends_during_a_run_is_renewed_once_and_no_row_is_blamed(
    project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=401, body=UNAUTHENTICATED, after=3))
    report = sync(
        on_receiver(
            project,
            receiver,
            rows("google", 20),
            "google",
            delivery={"batch_size": 2, "concurrency": 1},
        )
    )
    assert (report.failure, report.delivered, report.rejected) == (None, 20, 0)
    assert len(receiver.state.access) == 2, "one more"
    assert once_each(receiver, 20)


def test_a_token_that_is_refused_right_after_it_was_renewed_ends_the_run(
    project: Project, receiver: Receiver
) -> None:
    receiver.script.add(Fault(status=401, body=UNAUTHENTICATED, times=50))
    report = sync(
        on_receiver(
            project,
            receiver,
            rows("google", 20),
            "google",
            delivery={"batch_size": 2, "concurrency": 1},
        )
    )
    assert report.failure is not None
    assert (report.failure.exit_code, report.delivered, quarantined(project)) == (3, 0, [])
    assert "make a new refresh token with the scope datamanager" in report.failure.message
    assert (len(receiver.state.access), report.http_requests) == (2, 2)


@pytest.mark.parametrize(
    "name", ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_REFRESH_TOKEN"]
)
def test_a_wrong_part_of_the_exchange_is_told_without_its_value(
    name: str, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "wrong-5e1d")
    report = sync(on_receiver(project, receiver, rows("google"), "google"))
    assert report.failure is not None
    assert "gave no access token" in report.failure.message
    assert f"(env:{name})" in report.failure.message
    assert "5e1d" not in repr(report)


# OAuth 1.0a: the signature itself is held against published ones in tests/delivery/test_auth.py.


def test_every_attempt_to_x_is_signed_anew(project: Project, receiver: Receiver) -> None:
    receiver.script.add(Fault("throttle", headers={"Retry-After": "0"}, times=2))
    report = sync(on_receiver(project, receiver, rows("x", 6), "x", delivery={"batch_size": 2}))
    assert (report.failure, report.delivered, report.retries) == (None, 6, 2)
    assert len(receiver.state.nonces) == report.http_requests == 5, (
        "no nonce is used twice, not even for the same bytes"
    )


@pytest.mark.parametrize(
    "name", ["X_CONSUMER_KEY", "X_CONSUMER_SECRET", "X_TOKEN_SECRET", "ACME_TOKEN"]
)
def test_each_of_xs_four_secrets_counts(
    name: str, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "wrong-5e1d")
    report = sync(on_receiver(project, receiver, rows("x"), "x"))
    assert report.failure is not None
    assert "the four OAuth 1.0a secrets do not belong together" in report.failure.message
    assert "5e1d" not in repr(report)


# Meta's proof of the app secret


def test_meta_gets_the_proof_of_the_app_secret_where_there_is_one(
    project: Project, receiver: Receiver
) -> None:
    assert sync(on_receiver(project, receiver, rows("meta"), "meta")).delivered == 3
    assert once_each(receiver, 3)


def test_a_pixel_that_wants_the_proof_stops_a_run_without_it(
    project: Project, receiver: Receiver
) -> None:
    report = sync(on_receiver(project, receiver, rows("meta"), "meta", auth__app_secret=None))
    assert report.failure is not None
    assert "auth.app_secret" in report.failure.message
    assert quarantined(project) == []


# The base platform: a bearer token, an API key, and a signature over the bytes.


def signed_by(request: Request, key: str) -> bool:
    """Whether a request carries a fresh signature over its exact bytes,
    as docs of `HmacAuth` describe it.
    """
    match = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.headers.get("x-acme-signature", ""))
    if match is None or abs(time.time() - int(match[1])) > 300:
        return False
    wanted = hmac.new(
        key.encode(), match[1].encode() + b"." + request.body, hashlib.sha256
    ).hexdigest()
    return hmac.compare_digest(wanted, match[2])


@pytest.mark.parametrize("with_bearer", [False, True])
def test_a_signature_is_over_the_exact_bytes_of_every_attempt(
    with_bearer: bool, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_HMAC", "key-of-acme")
    taken: list[str] = []
    stumbled: list[bytes] = []

    def acme(request: Request) -> Reply:
        if not signed_by(request, "key-of-acme") or (
            ("authorization" in request.headers) is not with_bearer
        ):
            return Reply(401, {"error": {"code": "signature"}})
        if request.body not in stumbled:
            stumbled.append(request.body)
            return Reply(503, {"error": {"code": "busy"}})
        taken.append(orjson.loads(request.body)["event_id"])
        return Reply()

    with serving(answering(acme)) as server:
        wanted = {
            "hmac": "env:ACME_HMAC",
            "hmac_header": "X-Acme-Signature",
            **({"bearer": "env:ACME_TOKEN"} if with_bearer else {}),
        }
        project.write(fill(project, rows("capi")), f"{server.url}/signal", auth=wanted)
        report = sync(project.load())
        assert (report.failure, report.delivered, report.retries) == (None, 3, 3)
        assert sorted(taken) == ["e0", "e1", "e2"]
        monkeypatch.setenv("ACME_HMAC", "another-key")
        project.write(
            fill(project, [*rows("capi"), recent(minimal("capi", conversion_id="c9"))]),
            f"{server.url}/signal",
            auth=wanted,
        )
        failed = sync(project.load())
    assert failed.failure is not None
    assert failed.failure.exit_code == 3
    assert "another-key" not in repr(failed)


def test_an_api_key_travels_in_its_header(project: Project, receiver: Receiver) -> None:
    report = sync(
        on_receiver(project, receiver, rows("capi"), "capi", auth={"api_key": "env:ACME_TOKEN"})
    )
    assert (report.failure, report.delivered) == (None, 3)
    assert once_each(receiver, 3)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_not_there_is_told_by_its_name(
    name: str, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = {"X": "x", "G": "google", "M": "meta", "A": "reddit"}[name[0]]
    on_receiver(project, receiver, rows(platform), platform)
    monkeypatch.delenv(name)
    done = project.capi("sync", "acme")
    assert done.code == 2
    assert f"the environment variable {name} is not set" in " ".join(done.err.split())
    for secret in SECRETS.values():
        assert secret not in done.out + done.err
