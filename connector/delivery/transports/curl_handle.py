"""One of libcurl's handles, for one request after another."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import pycurl

from connector.delivery.transports.base import (
    MAX_RESPONSE_BYTES,
    MISDIRECTED,
    HttpRequest,
    HttpResponse,
    OnResponse,
    TransportFailure,
)

MAX_HEADERS = 100
"""Lines in the head of a response; http.client takes as many."""

_UNVERIFIED = (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE)
_UNSAFE = re.compile(r"[\r\n\0]")


Guard = Callable[[Callable[..., Any], Any], Callable[..., Any]]
"""Wraps a callback: what it raises is kept, and the given value is returned in its place."""


class CurlHandle:
    """A handle with its callbacks and what came of its request.

    Args:
        ca_file: PEM file of the trusted certificate authority.
        connect_seconds: until there must be a connection.
        unusable_ports: local ports of connections that are not to be used again: the server
            closed them, or wants the next request elsewhere.
        guard: wraps callbacks of libcurl, which would print what they raise.

    held_back: whether the last transfer was ended before anything was sent, because its
    connection was unusable; it is to be started again. deadline: on the monotonic clock.
    """

    def __init__(
        self, ca_file: str, connect_seconds: float, unusable_ports: set[int], guard: Guard
    ) -> None:
        self.deadline = 0.0
        self.held_back = False
        self.on_response: OnResponse
        self._unusable_ports = unusable_ports
        self._method: str | None = None
        self._url: str | None = None
        self._headers: Mapping[str, str] | None = None
        self._times_sent = 0
        self._head: list[bytes] = []
        self._parsed_head: list[bytes] = []
        self._parsed_headers: dict[str, str] | None = None
        self._body: list[bytes] = []
        self._size = 0
        curl = self.curl = pycurl.Curl()
        curl.handle = self
        for option, value in {
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.FOLLOWLOCATION: 0,
            pycurl.PROXY: "",
            pycurl.NETRC: pycurl.NETRC_IGNORED,
            pycurl.ACCEPT_ENCODING: "identity",
            pycurl.CONNECTTIMEOUT_MS: int(connect_seconds * 1000),
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.CAINFO: ca_file,
            pycurl.PREREQFUNCTION: guard(self._before_send, pycurl.PREREQFUNC_ABORT),
            pycurl.HEADERFUNCTION: self._head.append,
            pycurl.WRITEFUNCTION: guard(self._write, -1),
        }.items():
            curl.setopt(option, value)
        curl.unsetopt(pycurl.CAPATH)

    def prepare(self, request: HttpRequest) -> None:
        """Load the next request. Raises ValueError for a header that holds a line break."""
        if request.url != self._url:
            address = urllib.parse.quote(request.url, safe="!#$%&'()*+,/:;=?@[]~")
            self.curl.setopt(pycurl.URL, address)
            self._url = request.url
        if request.headers != self._headers:
            self.curl.setopt(pycurl.HTTPHEADER, _header_lines(request.headers))
            self._headers = dict(request.headers)
        if request.method != self._method:
            self.curl.setopt(pycurl.CUSTOMREQUEST, request.method)
            self._method = request.method
        self.curl.setopt(pycurl.POSTFIELDS, request.body)
        self.held_back = False
        self._times_sent = self._size = 0
        self._head.clear()
        self._body.clear()

    def release(self) -> OnResponse:
        """Let go of the request and return its callback.

        The handle may be idle for long, and what they hold is large.
        """
        self.curl.setopt(pycurl.POSTFIELDS, b"")
        on_response = self.on_response
        del self.on_response
        return on_response

    def response(self) -> HttpResponse | TransportFailure:
        """Return what came, once libcurl says that it is complete.

        It says so of a head that breaks off, too.
        """
        headers = self._response_headers()
        if headers is None:
            return TransportFailure("unknown", "the answer broke off")
        return self._without_body(headers) or HttpResponse(
            self.curl.getinfo(pycurl.RESPONSE_CODE), headers, b"".join(self._body)
        )

    def failure(
        self, code: int, text: str, detail: str = "the connection broke"
    ) -> HttpResponse | TransportFailure:
        """Say why there is no complete response.

        Args:
            code: libcurl's.
            text: libcurl's, which is not passed on, because it may quote the address.
            detail: why, where the request was sent.
        """
        if not self._times_sent:
            refused = (
                code == pycurl.E_SSL_CONNECT_ERROR
                and "SSL routines" in text
                and "unexpected eof" not in text
            )
            if refused or code in _UNVERIFIED:
                return TransportFailure("untrusted", "the TLS connection could not be verified")
            return TransportFailure("unsent", "no connection to the host")
        headers = self._response_headers()
        complete = None if headers is None else self._without_body(headers)
        if self._size > MAX_RESPONSE_BYTES:
            detail = "the answer is larger than 1 MiB"
        return complete or TransportFailure("unknown", detail)

    def _without_body(self, headers: dict[str, str]) -> HttpResponse | None:
        """Return a response whose status says all, whatever became of its body."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status == MISDIRECTED:
            self._unusable_ports.add(self.curl.getinfo(pycurl.LOCAL_PORT))
        elif not 300 <= status < 400:
            return None
        return HttpResponse(status, headers, b"")

    def _response_headers(self) -> dict[str, str] | None:
        """Return the headers of the final response, or None where its head is not complete."""
        if self._head == self._parsed_head:
            return self._parsed_headers
        if not self._head or self._head[-1].strip() or len(self._head) > MAX_HEADERS:
            return None
        headers: dict[str, str] = {}
        for line in self._head:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
            elif name.startswith("HTTP/"):
                headers.clear()
        self._parsed_head, self._parsed_headers = self._head.copy(), headers
        return headers

    def _before_send(self, _remote: str, _local: str, _remote_port: int, local_port: int) -> int:
        """Let a request leave, but only once.

        libcurl would send it again where a used connection breaks.
        """
        self.held_back = local_port in self._unusable_ports
        self._unusable_ports.discard(local_port)
        self._times_sent += not self.held_back
        if self.held_back or self._times_sent > 1:
            return pycurl.PREREQFUNC_ABORT
        return pycurl.PREREQFUNC_OK

    def _write(self, data: bytes) -> int:
        self._size += len(data)
        if self._size > MAX_RESPONSE_BYTES:
            return -1
        self._body.append(data)
        return len(data)


def _header_lines(headers: Mapping[str, str]) -> list[bytes]:
    """Format header lines, and leave out those that libcurl would add."""
    given = {"User-Agent": "capi-connector", **headers}
    if any(_UNSAFE.search(name + value) for name, value in given.items()):
        raise ValueError("a header holds a line break")
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in given.items()]
    names = {name.lower() for name in given}
    lines += [
        f"{name}:" for name in ("Accept", "Expect", "Content-Type") if name.lower() not in names
    ]
    return [line.encode("latin-1") for line in lines]
