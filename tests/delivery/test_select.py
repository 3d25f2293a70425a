"""Which transport a destination gets, and what is particular to libcurl."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading

import pytest

from connector.delivery.transports.base import HttpRequest, HttpResponse, TransportFailure
from connector.delivery.transports.requests import RequestsTransport
from connector.delivery.transports.select import Choice, open_transport
from connector.errors import ConfigError
from tests.support.servers import serving

pycurl = pytest.importorskip("pycurl")
curl = importlib.import_module("connector.delivery.transports.libcurl")
VERSION = pycurl.version_info()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", curl.LibcurlTransport),
        ("libcurl", curl.LibcurlTransport),
        ("requests", RequestsTransport),
    ],
)
def test_with_the_extra_libcurl_is_taken_unless_requests_is_wanted(
    choice: Choice, expected: type
) -> None:
    with contextlib.closing(open_transport(choice, timeout=1)) as transport:
        assert isinstance(transport, expected)


@pytest.mark.parametrize(
    ("version", "tls", "why"),
    [
        ("7.68.0", "OpenSSL/3.0.2", "older than 8.0"),
        ("8.5.0", "GnuTLS/3.7.3", "not built with OpenSSL 3"),
        ("8.5.0", None, "not built with OpenSSL 3"),
    ],
)
def test_a_libcurl_that_lacks_something_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, version: str, tls: str | None, why: str
) -> None:
    monkeypatch.setattr(
        pycurl, "version_info", lambda: (VERSION[0], version, *VERSION[2:5], tls, *VERSION[6:])
    )
    with contextlib.closing(open_transport("auto")) as transport:
        assert isinstance(transport, RequestsTransport)
    with pytest.raises(ConfigError, match=f"delivery.transport: this libcurl .*{why}"):
        open_transport("libcurl")


def test_without_the_extra_requests_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycurl", None)
    monkeypatch.delitem(sys.modules, "connector.delivery.transports.libcurl")
    with contextlib.closing(open_transport("auto")) as transport:
        assert isinstance(transport, RequestsTransport)
    with pytest.raises(
        ConfigError,
        match=r"delivery.transport: libcurl is not installed;"
        r" run: pip install 'capi-connector\[fast\]'",
    ):
        open_transport("libcurl")


def test_closing_gives_up_what_is_under_way() -> None:
    results: list[HttpResponse | TransportFailure] = []
    came = threading.Event()

    with serving(lambda peer: peer.read() and (came.set() or peer.hold())) as server:
        transport = open_transport("libcurl", timeout=60)
        transport.submit(HttpRequest("POST", server.url, {}, b"{}"), results.append)
        assert came.wait(5)
        transport.close()
    assert results == [TransportFailure("unknown", "the transport was closed")]
