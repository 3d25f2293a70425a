"""The transports against real sockets: where requests go, deadlines, what a failure means."""

from __future__ import annotations

import contextlib
import gc
import gzip
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector.delivery.transports.base import (
    MAX_RESPONSE_BYTES,
    HttpRequest,
    HttpResponse,
    Transport,
    TransportFailure,
    tls_context,
)
from connector.delivery.transports.requests import RequestsTransport
from connector.errors import ConfigError, EndpointError
from tests.delivery.conftest import Kind
from tests.support.servers import (
    Behaviour,
    Peer,
    Reply,
    Request,
    Server,
    answering,
    closed_port,
    endless,
    head,
    https,
    once,
    raw,
    serving,
    stalled,
)

TOKEN = "token-4f1c9e-of-the-platform"
DEADLINE = 0.4
MIB = 1024 * 1024
OK = answering(lambda _request: Reply())


@pytest.fixture
def transport(kind: Kind) -> Iterator[Transport]:
    made = kind(timeout=DEADLINE)
    yield made
    made.close()


def post(url: str, body: bytes = b'{"a":1}', **headers: str) -> HttpRequest:
    """A call whose address carries a token, as some platforms ask."""
    return HttpRequest(
        "POST",
        f"{url}/events?access_token={TOKEN}",
        {"Content-Type": "application/json", **headers},
        body,
    )


def soon(
    send: Callable[[], HttpResponse | TransportFailure], seconds: float = 30.0
) -> HttpResponse | TransportFailure:
    """The result, in at most so many seconds."""
    results: list[HttpResponse | TransportFailure] = []
    thread = threading.Thread(target=lambda: results.append(send()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, f"the request still hangs after {seconds} s, and its deadline was {DEADLINE} s"
    return results[0]


# What a request holds is let go with its answer: a connection at rest would keep a whole page.


def test_a_request_and_whoever_waits_for_it_are_let_go_with_the_answer(kind: Kind) -> None:
    """Both of two requests at once: the next one would take the place of one alone."""
    bodies = [b'{"a":%d}' % number for number in range(2)]
    with serving(OK) as server, contextlib.closing(kind(connections=2)) as transport:
        waiting = [Waiting(), Waiting()]
        unheld = [sys.getrefcount(body) for body in bodies]
        for body, then in zip(bodies, waiting, strict=True):
            transport.submit(post(server.url, body), then)
        assert [then.answered.wait(10) for then in waiting] == [True, True]
        assert isinstance(transport.send(post(server.url)), HttpResponse)
        watched = [weakref.ref(then) for then in waiting]
        del waiting, then
        gc.disable()
        try:
            assert [watch() for watch in watched] == [None, None]
        finally:
            gc.enable()
        del body
        assert [sys.getrefcount(body) for body in bodies] == unheld


class Waiting:
    def __init__(self) -> None:
        self.answered = threading.Event()

    def __call__(self, answer: HttpResponse | TransportFailure) -> None:
        self.answered.set()


# Redirects and the environment: nothing but the call decides where it goes and what it carries.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_answered_with_its_status_and_never_followed(
    transport: Transport, status: int
) -> None:
    with (
        serving(OK) as elsewhere,
        serving(
            answering(lambda _request: Reply(status, b"", {"Location": f"{elsewhere.url}/taken"}))
        ) as server,
    ):
        answer = transport.send(post(server.url, Authorization=f"Bearer {TOKEN}"))
        assert isinstance(answer, HttpResponse)
        assert answer.status == status
        assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("location", ["http://[", "/caf\xe9"])
def test_a_redirect_to_nowhere_is_still_a_redirect(transport: Transport, location: str) -> None:
    with serving(answering(lambda _request: Reply(302, b"", {"Location": location}))) as server:
        answer = transport.send(post(server.url))
    assert isinstance(answer, HttpResponse)
    assert answer.status == 302


def test_proxies_of_the_environment_see_nothing(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(OK) as proxy, serving(OK) as server:
        for name in (
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        transport = kind(timeout=DEADLINE)
        assert isinstance(transport.send(post(server.url)), HttpResponse)
        transport.close()
        assert (len(server.requests), proxy.connections) == (1, 0)


def test_a_netrc_file_does_not_replace_the_token(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    transport = kind(timeout=DEADLINE)
    with serving(OK) as server:
        transport.send(post(server.url, Authorization=f"Bearer {TOKEN}"))
        transport.send(post(server.url))
        assert [request.headers.get("authorization") for request in server.requests] == [
            f"Bearer {TOKEN}",
            None,
        ]
    transport.close()


def test_a_request_carries_its_body_and_headers_and_little_else(transport: Transport) -> None:
    with serving(OK) as server:
        transport.send(post(server.url, b'{"exact": "bytes"}', **{"X-Api-Key": TOKEN}))
        request = server.requests[0]
    assert request.body == b'{"exact": "bytes"}'
    assert request.target == f"/events?access_token={TOKEN}"
    assert request.headers["x-api-key"] == TOKEN
    assert set(request.headers) == {
        "host",
        "accept-encoding",
        "user-agent",
        "content-type",
        "content-length",
        "x-api-key",
    }
    assert request.headers["user-agent"] == "capi-connector"


def test_cookies_are_not_kept(transport: Transport) -> None:
    with serving(
        answering(lambda _request: Reply(headers={"Set-Cookie": "session=one; Path=/"}))
    ) as server:
        transport.send(post(server.url))
        transport.send(post(server.url))
        assert ["cookie" in request.headers for request in server.requests] == [False, False]


@pytest.mark.parametrize(
    ("url", "reaches"),
    [
        ("{url}", True),
        ("{url}/", True),
        ("{url}/other/path?and=query", True),
        ("{url}?query", True),
        ("http://localhost:{port}/", False),
        ("https://127.0.0.1:{port}/", False),
        ("http://127.0.0.1:1/", False),
        ("http://127.0.0.1/", False),
        ("{url}0/", False),
        ("{url}.example.org/", False),
        ("{url}@example.org/", False),
        ("{url}\\@example.org/", False),
        ("HTTP://127.0.0.1:{port}/", False),
        ("//127.0.0.1:{port}/", False),
    ],
)
def test_requests_go_to_the_configured_host_and_nowhere_else(
    kind: Kind, url: str, reaches: bool
) -> None:
    with (
        serving(OK) as server,
        contextlib.closing(
            kind(timeout=DEADLINE, origins=[server.url, "https://login.example.org"])
        ) as pinned,
    ):
        call = HttpRequest("POST", url.format(url=server.url, port=server.port), {}, b"{}")
        if reaches:
            assert isinstance(pinned.send(call), HttpResponse)
        else:
            with pytest.raises(EndpointError, match="another host than the configured endpoint"):
                pinned.send(call)
        assert server.connections == reaches


# Deadlines: a request ends on the wall clock, however busily the server sends.

DRIPS = {
    "a head": stalled(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
    "interim answers": stalled(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body of known length": stalled(head("Content-Length: 100000"), b" "),
    "a chunked body": stalled(head("Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "a body that ends with the connection": stalled(head("Content-Type: application/json"), b" "),
    "a body before the connection closes": stalled(
        head("Content-Length: 100000", "Connection: close"), b" "
    ),
}


@pytest.mark.parametrize("what", DRIPS)
def test_an_answer_that_drips_in_is_cut_at_the_deadline(kind: Kind, what: str) -> None:
    """Each byte comes in time, for ever: only a deadline ends it."""
    transport = kind(timeout=DEADLINE)
    with serving(DRIPS[what]) as server:
        result = soon(lambda: transport.send(post(server.url)))
        assert result == TransportFailure("unknown", f"no complete answer within {DEADLINE} s")
    transport.close()


def test_a_server_that_says_nothing_is_left_at_the_deadline(transport: Transport) -> None:
    with serving(lambda peer: peer.hold()) as server:
        assert soon(lambda: transport.send(post(server.url))) == TransportFailure(
            "unknown", f"no complete answer within {DEADLINE} s"
        )


def test_a_handshake_that_drips_in_is_cut_at_the_deadline(transport: Transport) -> None:
    """A TLS record that announces 16 KiB and comes one byte at a time."""
    with serving(
        lambda peer: peer.sip() and peer.send(b"\x16\x03\x03\x40\x00") and peer.drip(b"\x02")
    ) as server:
        result = soon(lambda: transport.send(post(f"https://localhost:{server.port}")))
    assert result == TransportFailure("unsent", "no connection to the host")


def test_a_deadline_that_passes_before_there_is_a_connection_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Names are looked up by the system, which nobody can hurry.

    libcurl does so in a thread of its own and does not wait for it.
    """
    lookup = socket.getaddrinfo

    def slow(*arguments: Any, **options: Any) -> Any:
        threading.Event().wait(DEADLINE * 1.5)
        return lookup(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with (
        serving(OK) as server,
        contextlib.closing(RequestsTransport(timeout=DEADLINE)) as transport,
    ):
        assert transport.send(post(server.url)) == TransportFailure(
            "unsent", "no connection to the host"
        )
        assert server.requests == []


def test_a_request_that_was_cut_does_not_harm_the_next(transport: Transport) -> None:
    with serving(DRIPS["a chunked body"]) as slow, serving(OK) as quick:
        assert isinstance(transport.send(post(slow.url)), TransportFailure)
        assert isinstance(transport.send(post(quick.url)), HttpResponse)


# Size: an answer is read to 1 MiB and no further.


@pytest.mark.parametrize(
    "first",
    [
        head(f"Content-Length: {256 * MIB}"),
        head("Content-Type: text/html"),
        head(f"Content-Length: {256 * MIB}", "Location: /elsewhere").replace(
            b"200 OK", b"302 Found"
        ),
    ],
    ids=["of known length", "to the end of the connection", "of a redirect"],
)
def test_an_answer_of_256_mib_is_not_read(kind: Kind, first: bytes) -> None:
    transport, sent = kind(timeout=5), list[int]()
    with serving(endless(first, sent)) as server:
        result = transport.send(post(server.url))
        assert sum(sent) < 64 * MIB
    assert isinstance(result, HttpResponse) == (b"302" in first)
    transport.close()


def test_a_compressed_answer_is_not_unpacked_beyond_the_cap(transport: Transport) -> None:
    bomb = gzip.compress(b"x" * 128 * MIB, compresslevel=1)
    with serving(
        answering(lambda _request: Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    ) as server:
        tracemalloc.start()
        result = transport.send(post(server.url))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert result == TransportFailure("unknown", "the answer is larger than 1 MiB")
    assert peak < 16 * MIB


def test_an_answer_of_exactly_the_cap_is_read_and_one_byte_more_is_not(
    transport: Transport,
) -> None:
    sizes = iter([MAX_RESPONSE_BYTES, MAX_RESPONSE_BYTES + 1])
    with serving(answering(lambda _request: Reply(body=b"x" * next(sizes)))) as server:
        whole, more = transport.send(post(server.url)), transport.send(post(server.url))
    assert isinstance(whole, HttpResponse)
    assert len(whole.body) == MAX_RESPONSE_BYTES
    assert more == TransportFailure("unknown", "the answer is larger than 1 MiB")


# What the lack of an answer means: `unsent` may simply be sent again, `unknown` may have been
# taken.

BROKEN: dict[str, tuple[Behaviour, str]] = {
    "closed without an answer": (once(lambda peer, _: peer.close()), "unknown"),
    "reset after the request": (once(lambda peer, _: peer.reset()), "unknown"),
    "reset while the request arrives": (
        lambda peer: peer.reset() if peer.sip() else None,
        "unknown",
    ),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), "unknown"),
    "a body cut short": (raw(head("Content-Length: 100") + b'{"status"'), "unknown"),
    "a chunk cut short": (raw(head("Transfer-Encoding: chunked") + b"ff\r\n{"), "unknown"),
    "no last chunk": (raw(head("Transfer-Encoding: chunked") + b"2\r\nok\r\n"), "unknown"),
    "chunks that are none": (raw(head("Transfer-Encoding: chunked") + b"zz\r\nok\r\n"), "unknown"),
    "gzip that is none": (
        raw(head("Content-Length: 4", "Content-Encoding: gzip") + b"zzzz"),
        "unknown",
    ),
    "two thousand headers": (
        raw(head(*(f"X-{number}: 1" for number in range(2000)), "Content-Length: 0")),
        "unknown",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_answer_may_have_been_taken(transport: Transport, what: str) -> None:
    behave, kind = BROKEN[what]
    with serving(behave) as server:
        result = transport.send(post(server.url))
    assert isinstance(result, TransportFailure)
    assert result.kind == kind
    assert_tells_nothing(result, server)


@pytest.mark.parametrize(
    "cut", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 201 Created\r\nContent-Type: appl"]
)
def test_half_a_head_is_no_answer(transport: Transport, cut: bytes) -> None:
    with serving(raw(cut)) as server:
        assert isinstance(transport.send(post(server.url)), TransportFailure)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:{port}", "http://nowhere.invalid:{port}"],
    ids=["refused", "no such host"],
)
def test_without_a_connection_nothing_was_sent(transport: Transport, address: str) -> None:
    result = transport.send(post(address.format(port=closed_port())))
    assert result == TransportFailure("unsent", "no connection to the host")


def assert_tells_nothing(result: HttpResponse | TransportFailure, server: Server) -> None:
    """Neither the address nor the token is in what people will read."""
    for secret in (TOKEN, "127.0.0.1", str(server.port), "/events"):
        assert secret not in repr(result)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING], ids=["debug", "warning"])
def test_no_log_record_holds_the_token(
    transport: Transport, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level)
    with serving(raw(head("Content-Length: 2", "a header without a colon") + b"{}")) as server:
        transport.send(post(server.url))
    assert TOKEN not in caplog.text


def test_a_closed_transport_leaves_the_loggers_of_others_as_they_were(kind: Kind) -> None:
    def filters() -> list[int]:
        names = [name for name in logging.root.manager.loggerDict if name.startswith("urllib3")]
        return [len(logging.getLogger(name).filters) for name in sorted(names)]

    kind().close()
    before = filters()
    kind().close()
    kind().close()
    assert filters() == before == [0] * len(before)


# Connections and threads.


def test_one_connection_serves_many_requests(transport: Transport) -> None:
    with serving(OK) as server:
        assert all(isinstance(transport.send(post(server.url)), HttpResponse) for _ in range(20))
        assert (len(server.requests), server.connections) == (20, 1)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(transport: Transport) -> None:
    closed = threading.Event()

    def one_each(peer: Peer) -> None:
        if peer.read() is not None:
            peer.answer()
        peer.close()
        closed.set()

    with serving(one_each) as server:
        for _ in range(3):
            closed.clear()
            assert isinstance(transport.send(post(server.url)), HttpResponse)
            assert closed.wait(5)
        assert server.connections == 3


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_misdirected_request_is_followed_by_one_on_a_new_connection(
    transport: Transport, body: bytes
) -> None:
    statuses = iter([200, 421, 200])
    with serving(answering(lambda _request: Reply(next(statuses), body))) as server:
        assert [transport.send(post(server.url))[0] for _ in range(3)] == [200, 421, 200]
        assert [request.connection for request in server.requests] == [0, 0, 1]


@pytest.mark.parametrize(
    "first",
    [
        head(f"Content-Length: {2 * MIB}"),
        head("Transfer-Encoding: chunked") + b"%x\r\n" % (2 * MIB),
    ],
    ids=["of known length", "chunked"],
)
def test_a_connection_with_an_unread_answer_is_not_used_again(
    transport: Transport, first: bytes
) -> None:
    def behave(peer: Peer) -> None:
        if peer.read() is not None and peer.send(first + b"x" * (MIB + 2)):
            peer.read()

    with serving(behave) as server:
        assert isinstance(transport.send(post(server.url)), TransportFailure)
        transport.send(post(server.url))
        assert server.connections == 2


def test_many_threads_get_each_their_own_answer(kind: Kind) -> None:
    transport = kind(timeout=10, connections=4)
    with (
        serving(answering(lambda request: Reply(body=request.body))) as server,
        ThreadPoolExecutor(16) as pool,
    ):
        bodies = [b'{"number":%d}' % number for number in range(200)]
        answers = list(pool.map(lambda body: transport.send(post(server.url, body)), bodies))
    assert [answer.body for answer in answers if isinstance(answer, HttpResponse)] == bodies
    transport.close()


def test_closing_leaves_no_thread_and_no_connection(kind: Kind) -> None:
    before = set(threading.enumerate())
    gone = threading.Event()

    def behave(peer: Peer) -> None:
        while peer.read() is not None:
            peer.answer()
        gone.set()

    with serving(behave) as server:
        transport = kind(timeout=DEADLINE)
        transport.send(post(server.url))
        transport.close()
        assert gone.wait(5)
        assert not [
            thread
            for thread in set(threading.enumerate()) - before
            if thread.name.startswith("capi")
        ]


def test_a_closed_transport_takes_no_request(kind: Kind) -> None:
    """Nobody waits for an answer that cannot come."""
    for used in (False, True):
        with serving(OK) as server:
            transport = kind()
            if used:
                transport.send(post(server.url))
            transport.close()
            with pytest.raises(RuntimeError):
                transport.submit(post(server.url), Waiting())
        assert len(server.requests) == used


def test_many_requests_may_be_under_way_without_a_thread_that_waits_for_each(kind: Kind) -> None:
    together, answers, done = (
        threading.Barrier(8, timeout=5),
        list[HttpResponse | TransportFailure](),
        threading.Event(),
    )

    def reply(request: Request) -> Reply:
        together.wait()
        return Reply(body=request.body)

    def take(answer: HttpResponse | TransportFailure) -> None:
        answers.append(answer)
        if len(answers) == 16:
            done.set()

    with (
        serving(answering(reply)) as server,
        contextlib.closing(kind(timeout=10, connections=8)) as transport,
    ):
        for number in range(16):
            transport.submit(post(server.url, b"%d" % number), take)
        assert done.wait(10)
    assert sorted(
        int(answer.body) for answer in answers if isinstance(answer, HttpResponse)
    ) == list(range(16))


@pytest.mark.parametrize(
    "value", ["one\r\nX-More: two", "one\nX-More: two", "one\r\n\r\nPOST / HTTP/1.1"]
)
def test_a_header_that_would_end_early_is_not_sent(transport: Transport, value: str) -> None:
    with serving(OK) as server:
        result = transport.send(post(server.url, **{"X-Api-Key": value}))
        assert isinstance(result, TransportFailure)
        assert result.kind == "unsent"
        assert server.requests == []


def test_a_request_is_not_sent_again_where_its_connection_breaks(transport: Transport) -> None:
    """On a connection that served before, http libraries like to take the break for an old one."""

    def behave(peer: Peer) -> None:
        peer.read()
        peer.answer()
        peer.read()
        peer.close()

    with serving(behave) as server:
        assert isinstance(transport.send(post(server.url)), HttpResponse)
        result = transport.send(post(server.url))
        assert isinstance(result, TransportFailure)
        assert result.kind == "unknown"
        assert len(server.requests) == 2


# TLS: 1.2 or later, by the configured authority, for the configured name.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(kind: Kind, authority: trustme.CA, tmp_path: Path) -> Iterator[Transport]:
    """A transport that trusts `authority` alone."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    made = kind(timeout=DEADLINE, ca_file=str(tmp_path / "ca.pem"))
    yield made
    made.close()


UNTRUSTED = TransportFailure("untrusted", "the TLS connection could not be verified")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_configured_authority_is_trusted(
    authority: trustme.CA, trusting: Transport, newest: ssl.TLSVersion
) -> None:
    with serving(OK, https(authority, newest=newest), "localhost") as server:
        assert isinstance(trusting.send(post(server.url)), HttpResponse)


def test_another_authority_is_not_trusted_whatever_the_environment_says(
    kind: Kind,
    authority: trustme.CA,
    trusting: Transport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "other.pem"))
    public = kind(timeout=DEADLINE)
    with serving(OK, https(other), "localhost") as server:
        assert trusting.send(post(server.url)) == UNTRUSTED
        assert public.send(post(server.url)) == UNTRUSTED
        assert server.requests == []
    public.close()


def test_a_certificate_for_another_name_is_not_trusted(
    authority: trustme.CA, trusting: Transport
) -> None:
    with serving(OK, https(authority, "elsewhere.example.org"), "localhost") as server:
        assert trusting.send(post(server.url)) == UNTRUSTED
        assert server.requests == []


def test_a_server_that_knows_no_tls_is_not_spoken_to(trusting: Transport) -> None:
    with serving(raw(head("Content-Length: 0"))) as server:
        result = trusting.send(post(server.url.replace("http://127.0.0.1", "https://localhost")))
        assert isinstance(result, TransportFailure)
        assert server.requests == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_server_of_tls_1_1_is_refused(authority: trustme.CA, trusting: Transport) -> None:
    with serving(OK, https(authority, newest=ssl.TLSVersion.TLSv1_1), "localhost") as server:
        weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        weak.set_ciphers("ALL:@SECLEVEL=0")
        weak.minimum_version = ssl.TLSVersion.TLSv1_1
        authority.configure_trust(weak)
        with (
            socket.create_connection(("127.0.0.1", server.port)) as plain,
            weak.wrap_socket(plain, server_hostname="localhost") as spoken,
        ):
            assert spoken.version() == "TLSv1.1"
        assert trusting.send(post(server.url)) == UNTRUSTED
        assert server.requests == []


SEND_ONE = """
import importlib, os, sys
from connector.delivery.transports.base import HttpResponse, HttpRequest
module, name, url, ca_file = sys.argv[1:]
transport = getattr(importlib.import_module(module), name)(timeout=10, ca_file=ca_file)
assert isinstance(transport.send(HttpRequest("POST", url, {}, b"{}")), HttpResponse)
transport.close()
assert "SSLKEYLOGFILE" in os.environ, "the process keeps its environment"
"""


def test_session_keys_are_not_written_to_disk(
    kind: Kind, authority: trustme.CA, tmp_path: Path
) -> None:
    """In a process of its own, because libcurl looks for the variable only once."""
    keys, ca_file = tmp_path / "keys.log", tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with serving(OK, https(authority), "localhost") as server:
        command = [
            sys.executable,
            "-c",
            SEND_ONE,
            kind.__module__,
            kind.__name__,
            server.url,
            str(ca_file),
        ]
        subprocess.run(
            command, env={**os.environ, "SSLKEYLOGFILE": str(keys)}, check=True, timeout=60
        )
        assert len(server.requests) == 1
    assert not keys.exists() or "SECRET" not in keys.read_text(encoding="ascii")


def test_the_usual_certificates_are_read_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tls_context(None)
    monkeypatch.delattr(ssl, "create_default_context")
    assert tls_context(None) is usual
    assert (usual.minimum_version, usual.verify_mode, usual.check_hostname) == (
        ssl.TLSVersion.TLSv1_2,
        ssl.CERT_REQUIRED,
        True,
    )


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_an_authority_that_cannot_be_read_is_named(
    kind: Kind, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ConfigError, match=r"delivery\.ca_file: .*authority\.pem is not a readable PEM certificate"
    ):
        kind(ca_file=str(path))


TLS_FAULTS: dict[str, tuple[Behaviour, int]] = {
    "closed without an answer": (once(lambda peer, _: peer.close()), 2),
    "reset after the request": (once(lambda peer, _: peer.reset()), 2),
    "a body cut short": (raw(head("Content-Length: 100") + b"{"), 2),
    "a body that drips": (DRIPS["a body of known length"], 2),
    "reset while the request arrives": (
        lambda peer: peer.reset() if peer.sip() else None,
        32 * MIB,
    ),
    "never read": (lambda peer: peer.hold(), 32 * MIB),
    "not TLS any more": (once(lambda peer, _: peer.send_plain(b"proxy error " * 20)), 2),
}


@pytest.mark.parametrize("what", TLS_FAULTS)
def test_a_tls_connection_that_breaks_is_not_blamed_on_its_certificate(
    authority: trustme.CA, trusting: Transport, what: str
) -> None:
    """`body` is either small or too large for what lies between two sockets."""
    behave, body = TLS_FAULTS[what]
    with serving(behave, https(authority), "localhost") as server:
        result = soon(lambda: trusting.send(post(server.url, b" " * body)))
    assert isinstance(result, TransportFailure)
    assert result.kind == "unknown"
    assert_tells_nothing(result, server)


@pytest.mark.parametrize("what", ["silent", "reset"])
def test_before_the_handshake_is_done_nothing_was_sent(trusting: Transport, what: str) -> None:
    with serving(
        lambda peer: peer.hold() if what == "silent" else peer.sip() and peer.reset()
    ) as server:
        result = soon(lambda: trusting.send(post(f"https://localhost:{server.port}")))
    assert isinstance(result, TransportFailure)
    assert result.kind == "unsent"
