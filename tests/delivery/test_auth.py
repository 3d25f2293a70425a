"""Every authentication scheme: the exact bytes it adds, when, and that nobody else sees them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.auth.base import AuthScheme, NoAuth
from connector.delivery.auth.body import BodyAuth
from connector.delivery.auth.combined import CombinedAuth
from connector.delivery.auth.header import HeaderAuth
from connector.delivery.auth.hmac import HmacAuth
from connector.delivery.auth.oauth1 import OAuth1
from connector.delivery.auth.oauth2 import OAuth2
from connector.delivery.auth.query import QueryAuth
from connector.delivery.auth.select import auth_for
from connector.delivery.transports.base import HttpRequest
from connector.delivery.transports.requests import RequestsTransport
from connector.errors import ConfigError, EndpointError
from tests.support.projects import Project
from tests.support.servers import Reply, Request, answering, closed_port, serving

SECRET = "s3cr3t-of-the-platform"
CALL = HttpRequest(
    "POST",
    "https://ads.example.org/v1/events",
    {"Content-Type": "application/json"},
    b'{"data":[{"id":1}]}',
)


# Tokens in headers, queries and bodies.


def test_a_token_travels_in_a_header() -> None:
    assert HeaderAuth("Authorization", SECRET, "Bearer ").sign(CALL).headers == {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {SECRET}",
    }
    assert HeaderAuth("X-Api-Key", SECRET).sign(CALL) == CALL._replace(
        headers={**CALL.headers, "X-Api-Key": SECRET}
    )


@pytest.mark.parametrize("token", [SECRET, "a b&c=d/é?#%", "***"])
@pytest.mark.parametrize("query", ["", "?test=true"])
def test_a_token_travels_in_the_query(token: str, query: str) -> None:
    call = CALL._replace(url=CALL.url + query)
    signed = QueryAuth("access_token", token).sign(call)
    parts = urllib.parse.urlsplit(signed.url)
    assert urllib.parse.parse_qs(parts.query)["access_token"] == [token]
    assert signed.url.startswith(call.url)
    assert signed._replace(url=call.url) == call


def test_a_token_travels_in_the_body_before_everything_else() -> None:
    signed = BodyAuth("access_token", SECRET).sign(CALL)
    assert signed.body == b'{"access_token":"s3cr3t-of-the-platform","data":[{"id":1}]}'
    assert signed._replace(body=CALL.body) == CALL


def test_appsecret_proof_is_the_hmac_of_the_token_under_the_app_secret() -> None:
    """Meta: hex HMAC-SHA256(key=app secret, message=access token)."""
    body = orjson.loads(
        BodyAuth("access_token", "EAAB", "appsecret_proof", "app-secret").sign(CALL).body
    )
    assert body == {
        "access_token": "EAAB",
        "appsecret_proof": "270719a879708ea59f5773cc87c693ea0814ab09f5edc698b634ee79b5105caf",
        "data": [{"id": 1}],
    }
    assert "appsecret_proof" not in orjson.loads(
        BodyAuth("access_token", "EAAB", "appsecret_proof", None).sign(CALL).body
    )


# Signatures over the body.


def signature_holds(header: str, body: bytes, key: str = SECRET) -> bool:
    """What a receiver does."""
    stamp, digest = (part.partition("=")[2] for part in header.split(","))
    return hmac.compare_digest(
        hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest(), digest
    )


def test_a_signature_has_exactly_these_bytes() -> None:
    signed = HmacAuth("X-Signature", "key", clock=lambda: 1_780_000_000.9).sign(
        CALL._replace(body=b"{}")
    )
    expected = "91c687852de220478a081e66b99a949dbf2f672c4122086cb089001817d29992"
    assert signed.headers["X-Signature"] == f"t=1780000000,v1={expected}"


@given(st.binary(min_size=1, max_size=60), st.data())
@settings(max_examples=150, deadline=None)
def test_one_changed_byte_breaks_a_signature(body: bytes, data: st.DataObject) -> None:
    signed = HmacAuth("X-Signature", SECRET).sign(CALL._replace(body=body))
    header, place = signed.headers["X-Signature"], data.draw(st.integers(0, len(body) - 1))
    changed = (
        body[:place] + bytes([body[place] ^ data.draw(st.integers(1, 255))]) + body[place + 1 :]
    )
    assert signature_holds(header, signed.body)
    assert not signature_holds(header, changed)
    assert not signature_holds(header, body + b" ")
    assert not signature_holds(header, body, key="another key")
    assert not signature_holds(header.replace("t=1", "t=2"), body)


def test_every_attempt_is_signed_anew_over_the_same_body() -> None:
    times = iter([1000.0, 1031.0])
    auth = HmacAuth("X-Signature", SECRET, clock=lambda: next(times))
    first, second = auth.sign(CALL), auth.sign(CALL)
    assert first.body == second.body == CALL.body
    assert [call.headers["X-Signature"].partition(",")[0] for call in (first, second)] == [
        "t=1000",
        "t=1031",
    ]
    assert all(signature_holds(call.headers["X-Signature"], call.body) for call in (first, second))


def test_the_second_of_two_schemes_signs_what_the_first_left() -> None:
    signed = CombinedAuth(BodyAuth("access_token", "EAAB"), HmacAuth("X-Signature", SECRET)).sign(
        CALL
    )
    assert signature_holds(signed.headers["X-Signature"], signed.body)
    assert b"EAAB" in signed.body


# OAuth 1.0a: our signatures against the documents' examples, and against a second implementation
# that passes them too.


def rfc5849(
    method: str,
    address: str,
    parameters: list[tuple[str, str]],
    consumer_secret: str,
    token_secret: str,
) -> str:
    """The signature of RFC 5849, section 3.4, written from its text.

    parameters: of query, body and header, decoded.
    """

    def encoded(text: str) -> str:
        unreserved = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
        return "".join(
            chr(byte) if byte in unreserved else f"%{byte:02X}" for byte in text.encode()
        )

    pairs = sorted((encoded(name), encoded(value)) for name, value in parameters)
    base = "&".join(
        [method, encoded(address), encoded("&".join(f"{name}={value}" for name, value in pairs))]
    )
    digest = hmac.new(
        f"{encoded(consumer_secret)}&{encoded(token_secret)}".encode(), base.encode(), hashlib.sha1
    ).digest()
    return base64.b64encode(digest).decode()


def oauth_fields(header: str) -> dict[str, str]:
    assert header.startswith("OAuth ")
    pairs = (part.partition("=") for part in header.removeprefix("OAuth ").split(", "))
    return {
        urllib.parse.unquote(name): urllib.parse.unquote(value.strip('"'))
        for name, _, value in pairs
    }


def test_the_reference_gives_the_signatures_of_rfc_5849() -> None:
    """Section 1.2: asking for temporary credentials, and for a photo."""
    first = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131200"),
        ("oauth_nonce", "wIjqoS"),
    ]
    first.append(("oauth_callback", "http://printer.example.com/ready"))
    assert (
        rfc5849("POST", "https://photos.example.net/initiate", first, "kd94hf93k423kf44", "")
        == "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
    )
    third = [
        ("file", "vacation.jpg"),
        ("size", "original"),
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
    ]
    third += [
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ]
    assert (
        rfc5849(
            "GET", "http://photos.example.net/photos", third, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00"
        )
        == "MdpQcU8iPSUjWoN/UDMsK2sui9I="
    )


DOCUMENTED = {
    "OAuth Core 1.0a, appendix A.5": (
        HttpRequest(
            "GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", {}, b""
        ),
        (
            "dpf43f3p2l4k3l03",
            "kd94hf93k423kf44",
            "nnch734d00sl2jdk",
            "pfkkdhi9sl3r4s00",
            1191242096,
            "kllo9940pd9333jh",
        ),
        "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
    ),
    "X, creating a signature": (
        HttpRequest(
            "POST",
            "https://api.twitter.com/1.1/statuses/update.json?include_entities=true"
            "&status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21",
            {},
            b"",
        ),
        (
            "xvz1evFS4wEEPTGEFPHBog",
            "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
            1318622958,
            "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        ),
        "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
    ),
}


@pytest.mark.parametrize("source", DOCUMENTED)
def test_our_signature_is_the_documented_one(source: str) -> None:
    call, (consumer_key, consumer_secret, token, token_secret, stamp, nonce), signature = (
        DOCUMENTED[source]
    )
    signed = OAuth1(
        consumer_key,
        consumer_secret,
        token,
        token_secret,
        clock=lambda: float(stamp),
        nonce=lambda: nonce,
    ).sign(call)
    assert oauth_fields(signed.headers["Authorization"]) == {
        "oauth_consumer_key": consumer_key,
        "oauth_nonce": nonce,
        "oauth_signature": signature,
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(stamp),
        "oauth_token": token,
        "oauth_version": "1.0",
    }
    assert (signed.url, signed.body) == (call.url, call.body)


PARAMETERS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
    max_size=4,
)


@given(
    PARAMETERS,
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=12),
    st.binary(max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_our_signature_is_that_of_rfc_5849_for_any_query_and_secret(
    parameters: list[tuple[str, str]], secret: str, body: bytes
) -> None:
    query = urllib.parse.urlencode(parameters)
    call = CALL._replace(url=CALL.url + (f"?{query}" if query else ""), body=body)
    fields = oauth_fields(
        OAuth1("ck", secret, "t", secret[::-1]).sign(call).headers["Authorization"]
    )
    signature = fields.pop("oauth_signature")
    assert signature == rfc5849(
        "POST", CALL.url, [*fields.items(), *parameters], secret, secret[::-1]
    )


def test_no_nonce_is_used_twice() -> None:
    auth = OAuth1("ck", "cs", "t", "ts")
    nonces = {
        oauth_fields(auth.sign(CALL).headers["Authorization"])["oauth_nonce"] for _ in range(100)
    }
    assert len(nonces) == 100
    assert all(len(nonce) >= 16 for nonce in nonces)


# OAuth 2.0: a token that is fetched, kept and renewed.

FIELDS = {"client_id": "me", "client_secret": SECRET, "refresh_token": f"{SECRET}-refresh"}


@pytest.fixture
def transport() -> Iterator[RequestsTransport]:
    made = RequestsTransport(timeout=5)
    yield made
    made.close()


def tokens(*, slow: threading.Event | None = None) -> Callable[[Request], Reply]:
    """An authorization server that numbers its tokens."""
    numbers = iter(range(1, 1000))
    lock = threading.Lock()

    def reply(_request: Request) -> Reply:
        with lock:
            number = next(numbers)
        if slow is not None:
            slow.wait(0.3)
        return Reply(
            body={"access_token": f"token-{number}", "expires_in": 3600, "token_type": "Bearer"}
        )

    return reply


def test_a_token_is_fetched_once_kept_and_renewed_on_demand(transport: RequestsTransport) -> None:
    with serving(answering(tokens())) as server:
        auth = OAuth2(transport, f"{server.url}/token", FIELDS)
        assert [auth.sign(CALL).headers["Authorization"] for _ in range(3)] == [
            "Bearer token-1"
        ] * 3
        assert auth.refresh()
        assert auth.sign(CALL).headers["Authorization"] == "Bearer token-2"
        assert len(server.requests) == 2
        request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(urllib.parse.parse_qsl(request.body.decode())) == {
        "grant_type": "refresh_token",
        **FIELDS,
    }


def test_threads_that_begin_together_fetch_one_token(transport: RequestsTransport) -> None:
    barrier = threading.Barrier(8)
    with (
        serving(answering(tokens(slow=threading.Event()))) as server,
        ThreadPoolExecutor(8) as pool,
    ):
        auth = OAuth2(transport, f"{server.url}/token", FIELDS)

        def sign(_number: int) -> str:
            barrier.wait()
            return auth.sign(CALL).headers["Authorization"]

        signed = list(pool.map(sign, range(8)))
        assert len(server.requests) == 1
    assert set(signed) == {"Bearer token-1"}


CHECK = "check auth.refresh_token (env:TOKEN)"
WAIT = "nothing is sent without one, and the next run asks again"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            Reply(400, {"error": "invalid_grant", "refresh_token": FIELDS["refresh_token"]}),
            f"(invalid_grant); make a new one, and {CHECK}",
        ),
        (
            Reply(401, {"error": "invalid_client", "error_description": FIELDS["client_secret"]}),
            f"(HTTP 401, invalid_client); {CHECK}",
        ),
        (Reply(400, {"error": FIELDS["client_secret"]}), f"(HTTP 400); {CHECK}"),
        (Reply(400, {"error": {"code": 7}}), f"(HTTP 400); {CHECK}"),
        (Reply(500, b"<html>"), f"(HTTP 500); {WAIT}"),
        (Reply(429, {"error": "invalid_grant"}), f"(HTTP 429); {WAIT}"),
        (Reply(200, b"<html>"), f"(HTTP 200); {CHECK}"),
        (Reply(200, []), f"(HTTP 200); {CHECK}"),
        (Reply(200, {"token": "x"}), f"(HTTP 200); {CHECK}"),
        (Reply(200, {"access_token": ""}), f"(HTTP 200); {CHECK}"),
        (Reply(200, {"access_token": 7}), f"(HTTP 200); {CHECK}"),
        (Reply(302, b"", {"Location": "/elsewhere"}), f"(HTTP 302); {CHECK}"),
        (None, f"could not be asked for an access token (no connection to the host); {WAIT}"),
    ],
)
def test_without_a_token_nothing_is_sent_and_who_must_act_is_told_but_no_secret(
    transport: RequestsTransport, reply: Reply | None, told: str
) -> None:
    with serving(answering(lambda _request: reply or Reply())) as server:
        auth = OAuth2(
            transport,
            f"{server.url}/token" if reply else f"http://127.0.0.1:{closed_port()}/token",
            FIELDS,
            credentials="auth.refresh_token (env:TOKEN)",
        )
        for _ in range(2):
            with pytest.raises(EndpointError) as raised:
                auth.sign(CALL)
            assert str(raised.value).startswith("the authorization server ")
            assert str(raised.value).endswith(told)
            assert SECRET not in str(raised.value)
        assert len(server.requests) == (reply is not None), "asked once"


def test_an_authorization_server_that_refuses_is_asked_once_however_many_threads_need_a_token(
    transport: RequestsTransport,
) -> None:
    barrier = threading.Barrier(8)
    with serving(answering(lambda _request: Reply(401))) as server, ThreadPoolExecutor(8) as pool:
        auth = OAuth2(transport, f"{server.url}/token", FIELDS)

        def sign(_number: int) -> None:
            barrier.wait()
            with pytest.raises(EndpointError):
                auth.sign(CALL)

        list(pool.map(sign, range(8)))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "auth",
    [
        NoAuth(),
        HeaderAuth("A", SECRET),
        QueryAuth("a", SECRET),
        HmacAuth("A", SECRET),
        OAuth1(SECRET, SECRET, SECRET, SECRET),
    ],
)
def test_what_cannot_be_renewed_says_so(auth: AuthScheme) -> None:
    assert auth.refresh() is False


# From a destination: which scheme, which secret, and what a preview shows.

SCHEMES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bearer": ({"bearer": "env:SECRET"}, {}),
    "api key": ({"api_key": "env:SECRET", "header": "X-Key"}, {}),
    "signature": ({"hmac": "env:SECRET", "hmac_header": "X-Sign"}, {}),
    "bearer and signature": ({"bearer": "env:SECRET", "hmac": "env:SECRET"}, {}),
    "header": ({"bearer": "env:SECRET"}, {"method": "header", "name": "Access-Token"}),
    "query": ({"bearer": "env:SECRET"}, {"method": "query", "name": "access_token"}),
    "body": (
        {"bearer": "env:SECRET", "app_secret": "env:SECRET"},
        {"method": "body", "name": "access_token", "proof": "appsecret_proof"},
    ),
    "oauth1": (
        dict.fromkeys(("consumer_key", "consumer_secret", "token", "token_secret"), "env:SECRET"),
        {"method": "oauth1"},
    ),
    "oauth2": (
        dict.fromkeys(FIELDS, "env:SECRET"),
        {"method": "oauth2", "token_url": "https://login.example.org/token"},
    ),
    "oauth2 with a token": (
        {"bearer": "env:SECRET"},
        {"method": "oauth2", "token_url": "https://login.example.org/token"},
    ),
}


@pytest.fixture(params=SCHEMES)
def scheme(
    request: pytest.FixtureRequest, project: Project, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("SECRET", SECRET)
    given, platform = SCHEMES[request.param]
    project.write(
        "duckdb:///w.duckdb",
        "https://ads.example.org/v1/events",
        auth=given,
        **({"overrides": {"auth": platform}} if platform else {}),
    )
    return str(request.param)


def test_a_preview_shows_stars_in_place_of_every_secret(scheme: str, project: Project) -> None:
    signed = auth_for(project.load(), None, hidden=True).sign(CALL)
    assert SECRET not in repr(signed)
    assert "***" in signed.url + repr(signed.headers) + signed.body.decode(), scheme


def test_a_preview_reads_no_secret(
    scheme: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET")
    assert auth_for(project.load(), None, hidden=True).sign(CALL).method == "POST", scheme


def test_no_scheme_shows_its_secret_when_printed(
    scheme: str, project: Project, transport: RequestsTransport
) -> None:
    auth = auth_for(project.load(), transport)
    assert SECRET not in f"{auth!r} {auth!s} {auth.sign!r}", scheme
    if scheme != "oauth2":
        assert "***" not in repr(auth.sign(CALL))


def test_a_secret_that_is_not_there_is_named_and_nothing_else(
    scheme: str, project: Project, monkeypatch: pytest.MonkeyPatch, transport: RequestsTransport
) -> None:
    monkeypatch.delenv("SECRET")
    with pytest.raises(
        ConfigError, match=r"acme: auth\.\w+: the environment variable SECRET is not set"
    ):
        auth_for(project.load(), transport)


@pytest.mark.parametrize(
    "value", [f"{SECRET}\n", f"{SECRET}\r\nX-Other: 1", f"{SECRET}\x00", f"{SECRET}é"]
)
def test_a_secret_that_fits_no_header_is_refused_without_showing_it(
    project: Project, tmp_path: Path, value: str
) -> None:
    path = tmp_path / "token"
    path.write_text(f"x{value}x", encoding="utf-8")
    path.chmod(0o600)
    project.write(
        "duckdb:///w.duckdb", "https://ads.example.org/v1/events", auth={"bearer": f"file:{path}"}
    )
    with pytest.raises(
        ConfigError, match="a line break or another character that no token has"
    ) as raised:
        auth_for(project.load(), None)
    assert SECRET not in str(raised.value)
