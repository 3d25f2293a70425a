"""The transport of the extra `fast`: libcurl, all requests in one thread. It keeps every rule of `transport.py`.

A request costs a small part of what it costs through requests, and hundreds in flight need no threads of their own.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Collection, Mapping
from concurrent.futures import Future

import certifi
import pycurl

from connector.delivery.transports.base import (
    CONNECT_SECONDS,
    MAX_ANSWER,
    MISDIRECTED,
    Answer,
    Call,
    Then,
    TransportFailure,
    refuse_elsewhere,
    tls_context,
)

MAX_HEADERS = 100
"""Lines in the head of an answer; http.client takes as many."""

_UNVERIFIED = (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE)
_UNSAFE = re.compile(r"[\r\n\0]")


def missing() -> str | None:
    """What this libcurl lacks, for people, or None: other packages may have brought one that is old or built differently."""
    _, version, _, _, _, tls, *_ = pycurl.version_info()
    if tuple(int(part) for part in version.split(".")[:2]) < (8, 0):
        return f"this libcurl is version {version}, older than 8.0"
    if not tls or not tls.startswith("OpenSSL/3"):
        return "this libcurl is not built with OpenSSL 3"
    return None


class LibcurlTransport:
    """Sends calls; safe to use from many threads. Takes what `Transport` takes."""

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        connections: int = 8,
        ca_file: str | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        tls_context(ca_file)
        os.environ.pop(
            "SSLKEYLOGFILE", None
        )  # libcurl would write session keys to disk, and has no other way to be told not to
        self._timeout, self._ca_file, self._origins = timeout, ca_file or certifi.where(), origins
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._rung = self._closed = False
        self._timer: float | None = None
        self._waiting: deque[tuple[Call, Then]] = deque()
        self._active: dict[_Exchange, None] = {}
        self._idle: list[_Exchange] = []
        self._resting: set[int] = set()
        self._gone: set[int] = set()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, call: Call) -> Answer | TransportFailure:
        """As `Transport.send`; not for the transport's own thread."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the transport's own thread cannot wait for itself")
        result: Future[Answer | TransportFailure] = Future()
        self.submit(call, result.set_result)
        return result.result()

    def submit(self, call: Call, then: Then) -> None:
        """As `Transport.submit`; the threads that call `then` are one."""
        refuse_elsewhere(call.url, self._origins)
        self._waiting.append((call, then))
        if self._thread is None:
            self._start()
        if not self._rung and threading.current_thread() is not self._thread:
            self._ring()

    def close(self) -> None:
        """Close connections and stop the thread; requests under way are given up."""
        self._closed = True
        if self._thread is not None:
            self._ring()
            self._thread.join()
        for exchange in self._idle:
            exchange.handle.close()
        self._multi.close()
        self._selector.close()
        self._bell.close()
        self._rope.close()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="capi-curl", daemon=True)
                self._thread.start()

    def _ring(self) -> None:
        """Wake the thread."""
        self._rung = True
        self._rope.send(b"\0")

    def _run(self) -> None:
        try:
            while not self._closed:
                while self._waiting:
                    self._begin(*self._waiting.popleft())
                for key, events in self._selector.select(self._pause()):
                    if key.fileobj is self._bell:
                        self._bell.recv(4096)
                        self._rung = False
                    elif key.fd in self._resting:
                        self._bury(key.fd)
                    else:
                        self._multi.socket_action(key.fd, events)
                if self._timer is not None and self._timer <= time.monotonic():
                    self._timer = None
                    self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
                self._collect()
                self._expire()
        finally:
            self._closed = True
            for exchange in list(self._active):
                self._end(exchange, TransportFailure("unknown", "the transport was closed"))

    def _pause(self) -> float | None:
        """Seconds until something is due."""
        deadline = next(iter(self._active)).deadline if self._active else None
        due = [moment for moment in (deadline, self._timer) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _begin(self, call: Call, then: Then) -> None:
        exchange = (
            self._idle.pop()
            if self._idle
            else _Exchange(self._ca_file, min(CONNECT_SECONDS, self._timeout), self._gone)
        )
        try:
            exchange.prepare(call)
        except ValueError:
            self._idle.append(exchange)
            then(TransportFailure("unsent", "the request could not be written"))
            return
        exchange.then, exchange.deadline = then, time.monotonic() + self._timeout
        self._active[exchange] = None
        self._multi.add_handle(exchange.handle)

    def _collect(self) -> None:
        """Hand over what has finished."""
        more = 1
        while more:
            more, answered, failed = self._multi.info_read()
            for handle in answered:
                self._end(handle.exchange, handle.exchange.answer())
            for handle, code, text in failed:
                if handle.exchange.stayed:
                    handle.exchange.stayed = False
                    self._multi.remove_handle(handle)
                    self._multi.add_handle(handle)
                else:
                    self._end(handle.exchange, handle.exchange.failure(code, text))

    def _expire(self) -> None:
        """Give up what has taken too long: libcurl's own limit of the whole transfer would cost a timer for each request."""
        now = time.monotonic()
        while self._active and (first := next(iter(self._active))).deadline <= now:
            self._end(
                first,
                first.failure(
                    pycurl.E_OPERATION_TIMEDOUT,
                    "",
                    f"no complete answer within {self._timeout:g} s",
                ),
            )

    def _end(self, exchange: _Exchange, result: Answer | TransportFailure) -> None:
        del self._active[exchange]
        self._multi.remove_handle(exchange.handle)
        then = exchange.release()
        self._idle.append(exchange)
        then(result)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Watches the sockets that libcurl names; its flags for reading and writing are those of selectors.

        A socket that it lets go is watched on: libcurl would use a connection again that the server closed just now.
        """
        known = self._selector.get_map().get(fd)
        if what == pycurl.POLL_REMOVE:
            if known is not None:
                self._resting.add(fd)
                self._selector.modify(fd, selectors.EVENT_READ)
        elif fd in self._resting or known is None:  # perhaps another socket of the same number
            self._forget(fd)
            self._selector.register(fd, what)
        else:
            self._selector.modify(fd, what)

    def _forget(self, fd: int) -> None:
        self._resting.discard(fd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def _bury(self, fd: int) -> None:
        """The server closed a connection that is not in use, or said something on it: no request may leave on it."""
        self._forget(fd)
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=fd)
            try:
                self._gone.add(sock.getsockname()[1])
            finally:
                sock.detach()


class _Exchange:
    """One of libcurl's handles, for one request after another."""

    def __init__(self, ca_file: str, connect_seconds: float, gone: set[int]) -> None:
        """gone: local ports of connections that are not to be used again: the server closed them, or wants the next request elsewhere."""
        self.deadline = 0.0
        self.stayed = False
        self._gone = gone
        self.then: Then
        self._method: str | None = None
        self._url: str | None = None
        self._headers: Mapping[str, str] | None = None
        self._left = 0
        self._head: list[bytes] = []
        self._head_before: list[bytes] = []
        self._headers_before: dict[str, str] | None = None
        self._body: list[bytes] = []
        self._size = 0
        handle = self.handle = pycurl.Curl()
        handle.exchange = self
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
            pycurl.PREREQFUNCTION: self._leave,
            pycurl.HEADERFUNCTION: self._head.append,
            pycurl.WRITEFUNCTION: self._write,
        }.items():
            handle.setopt(option, value)
        handle.unsetopt(pycurl.CAPATH)

    def prepare(self, call: Call) -> None:
        """Load the next request. Raises ValueError for a header that would end early."""
        if call.url != self._url:
            self.handle.setopt(
                pycurl.URL, urllib.parse.quote(call.url, safe="!#$%&'()*+,/:;=?@[]~")
            )
            self._url = call.url
        if call.headers != self._headers:
            self.handle.setopt(pycurl.HTTPHEADER, _lines(call.headers))
            self._headers = dict(call.headers)
        if call.method != self._method:
            self.handle.setopt(pycurl.CUSTOMREQUEST, call.method)
            self._method = call.method
        self.handle.setopt(pycurl.POSTFIELDS, call.body)
        self.stayed = False
        self._left = self._size = 0
        self._head.clear()
        self._body.clear()

    def release(self) -> Then:
        """Let go of the request, and of whoever waits for its answer: the handle may rest for long, and what they hold is large."""
        then = self.then
        del self.then
        self.handle.setopt(pycurl.POSTFIELDS, b"")
        return then

    def answer(self) -> Answer | TransportFailure:
        """What came, once libcurl says that it is complete: it says so of a head that breaks off, too."""
        headers = self._headers_of_answer()
        if headers is None:
            return TransportFailure("unknown", "the answer broke off")
        return self._bare(headers) or Answer(
            self.handle.getinfo(pycurl.RESPONSE_CODE), headers, b"".join(self._body)
        )

    def failure(
        self, code: int, text: str, detail: str = "the connection broke"
    ) -> Answer | TransportFailure:
        """Why there is no complete answer. text: libcurl's, which is not passed on, because it may quote the address."""
        if not self._left:
            refused = (
                code == pycurl.E_SSL_CONNECT_ERROR
                and "SSL routines" in text
                and "unexpected eof" not in text
            )
            if refused or code in _UNVERIFIED:
                return TransportFailure("untrusted", "the TLS connection could not be verified")
            return TransportFailure("unsent", "no connection to the host")
        headers = self._headers_of_answer()
        bare = None if headers is None else self._bare(headers)
        return bare or TransportFailure(
            "unknown", "the answer is larger than 1 MiB" if self._size > MAX_ANSWER else detail
        )

    def _bare(self, headers: dict[str, str]) -> Answer | None:
        """An answer whose status says all, whatever became of its body."""
        status = self.handle.getinfo(pycurl.RESPONSE_CODE)
        if status == MISDIRECTED:
            self._gone.add(self.handle.getinfo(pycurl.LOCAL_PORT))
        return (
            Answer(status, headers, b"") if 300 <= status < 400 or status == MISDIRECTED else None
        )

    def _headers_of_answer(self) -> dict[str, str] | None:
        """Headers of the final answer, or None where its head is not complete."""
        if self._head == self._head_before:
            return self._headers_before
        if not self._head or self._head[-1].strip() or len(self._head) > MAX_HEADERS:
            return None
        headers: dict[str, str] = {}
        for line in self._head:
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
            elif name.startswith("HTTP/"):
                headers.clear()
        self._head_before, self._headers_before = self._head.copy(), headers
        return headers

    def _leave(self, _remote: str, _local: str, _remote_port: int, local_port: int) -> int:
        """The request is about to leave. It does so once: libcurl would send it again where a used connection breaks."""
        self.stayed = local_port in self._gone
        self._gone.discard(local_port)
        self._left += not self.stayed
        return pycurl.PREREQFUNC_ABORT if self.stayed or self._left > 1 else pycurl.PREREQFUNC_OK

    def _write(self, data: bytes) -> int:
        self._size += len(data)
        if self._size > MAX_ANSWER:
            return -1
        self._body.append(data)
        return len(data)


def _lines(headers: Mapping[str, str]) -> list[bytes]:
    """Header lines, and none that libcurl would add."""
    given = {"User-Agent": "capi-connector", **headers}
    if any(_UNSAFE.search(name + value) for name, value in given.items()):
        raise ValueError("a header holds a line break")
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in given.items()]
    lines += [
        f"{name}:"
        for name in ("Accept", "Expect", "Content-Type")
        if name.lower() not in {each.lower() for each in given}
    ]
    return [line.encode("latin-1") for line in lines]
