"""The transport of the extra `fast`: libcurl, with all requests in one thread.

A request costs a small part of what it costs through requests, and hundreds in flight need no
threads of their own. It keeps every rule of `requests.py`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

import certifi
import pycurl

from connector.delivery.transports.base import (
    CONNECT_SECONDS,
    HttpRequest,
    HttpResponse,
    OnResponse,
    Result,
    TransportFailure,
    require_origin,
    tls_context,
)
from connector.delivery.transports.curl_handle import CurlHandle
from connector.errors import InternalError


def missing() -> str | None:
    """Say what this libcurl lacks, or None: other packages may have brought an unsuitable one."""
    _, version, _, _, _, tls, *_ = pycurl.version_info()
    if tuple(int(part) for part in version.split(".")[:2]) < (8, 0):
        return f"this libcurl is version {version}, older than 8.0"
    if not tls or not tls.startswith("OpenSSL/3"):
        return "this libcurl is not built with OpenSSL 3"
    return None


def _initialize_without_key_log() -> None:
    """Let libcurl start without SSLKEYLOGFILE, which would write session keys to disk.

    It looks at the variable when its first handle is made, and has no other setting for it; the
    process gets the variable back.
    """
    path = os.environ.pop("SSLKEYLOGFILE", None)
    try:
        pycurl.Curl().close()
    finally:
        if path is not None:
            os.environ["SSLKEYLOGFILE"] = path


def _tell(on_response: OnResponse, result: Result) -> None:
    """Call back; the thread is about to end, so nobody would see what a callback raises."""
    with contextlib.suppress(Exception):
        on_response(result)


class LibcurlTransport:
    """Sends requests; safe to use from many threads. Arguments as of `RequestsTransport`."""

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        connections: int = 8,
        ca_file: str | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        if ca_file is not None:
            tls_context(ca_file)  # curl would tell of an unreadable file at the first request
        _initialize_without_key_log()
        self._timeout, self._ca_file, self._origins = timeout, ca_file or certifi.where(), origins
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._guarded(self._watch_socket, None))
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._guarded(self._set_timer, None))
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._wake_sent = self._closed = False
        self._raised: BaseException | None = None
        self._mistake: InternalError | None = None
        self._timer: float | None = None
        self._pending: deque[tuple[HttpRequest, OnResponse]] = deque()
        self._active: dict[CurlHandle, None] = {}
        self._idle: list[CurlHandle] = []
        self._idle_sockets: set[int] = set()
        self._unusable_ports: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """As `RequestsTransport.send`; not for the transport's own thread."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("the transport's own thread cannot wait for itself")
        future: Future[Result] = Future()
        self.submit(request, future.set_result)
        result = future.result()
        if isinstance(result, InternalError):
            raise result
        return result

    def submit(self, request: HttpRequest, on_response: OnResponse) -> None:
        """As `RequestsTransport.submit`; one thread calls every `on_response`."""
        require_origin(request.url, self._origins)
        with self._lock:
            if self._closed:
                raise self._mistake or RuntimeError("the transport is closed")
            self._pending.append((request, on_response))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="capi-curl", daemon=True)
                self._thread.start()
        if not self._wake_sent and threading.current_thread() is not self._thread:
            self._wake()

    def close(self) -> None:
        """Close connections and stop the thread; requests in flight are aborted."""
        self._closed = True
        if self._thread is not None:
            self._wake()
            self._thread.join()
        for handle in self._idle:
            handle.curl.close()
        self._multi.close()
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def _wake(self) -> None:
        self._wake_sent = True
        self._wake_sender.send(b"\0")

    def _run(self) -> None:
        try:
            self._loop()
            self._end(None)
        except BaseException as error:  # noqa: BLE001  its text may quote a request
            self._end(InternalError.of(error))

    def _loop(self) -> None:
        """Work until the transport is closed. Raises for a mistake of our own."""
        while not self._closed:
            while self._pending:
                self._start(*self._pending[0])
                self._pending.popleft()
            for key, events in self._selector.select(self._seconds_until_due()):
                if key.fileobj is self._wake_receiver:
                    self._wake_receiver.recv(4096)
                    self._wake_sent = False
                elif key.fd in self._idle_sockets:
                    self._retire_socket(key.fd)
                else:
                    self._multi.socket_action(key.fd, events)
            if self._timer is not None and self._timer <= time.monotonic():
                self._timer = None
                self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._collect_finished()
            self._expire_overdue()
            if self._raised is not None:
                raise self._raised

    def _end(self, mistake: InternalError | None) -> None:
        """Give a result to everybody who waits, and take no more requests."""
        with self._lock:
            self._closed, self._mistake = True, mistake
            pending = [on_response for _, on_response in self._pending]
            self._pending.clear()
        active = [(handle, handle.on_response) for handle in self._active]
        for handle, _ in active:
            with contextlib.suppress(pycurl.error):
                self._multi.remove_handle(handle.curl)
            self._idle.append(handle)
        self._active.clear()
        closed = "the transport was closed"
        for on_response in pending:
            _tell(on_response, mistake or TransportFailure("unsent", closed))
        for _, on_response in active:
            _tell(on_response, mistake or TransportFailure("unknown", closed))

    def _guarded(self, callback: Callable[..., Any], otherwise: Any) -> Callable[..., Any]:
        """Wrap a callback of libcurl, which would print what it raises and go on."""

        def guarded(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except BaseException as error:  # noqa: BLE001  raised again by the loop
                self._raised = self._raised or error
                return otherwise

        return guarded

    def _seconds_until_due(self) -> float | None:
        deadline = next(iter(self._active)).deadline if self._active else None
        due = [moment for moment in (deadline, self._timer) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _start(self, request: HttpRequest, on_response: OnResponse) -> None:
        if self._idle:
            handle = self._idle.pop()
        else:
            connect_seconds = min(CONNECT_SECONDS, self._timeout)
            handle = CurlHandle(self._ca_file, connect_seconds, self._unusable_ports, self._guarded)
        try:
            handle.prepare(request)
        except ValueError:
            self._idle.append(handle)
            on_response(TransportFailure("unsent", "the request could not be written"))
            return
        handle.on_response, handle.deadline = on_response, time.monotonic() + self._timeout
        self._multi.add_handle(handle.curl)
        self._active[handle] = None

    def _collect_finished(self) -> None:
        more = 1
        while more:
            more, answered, failed = self._multi.info_read()
            for curl in answered:
                self._finish(curl.handle, curl.handle.response())
            for curl, code, text in failed:
                if curl.handle.held_back:
                    curl.handle.held_back = False
                    self._multi.remove_handle(curl)
                    self._multi.add_handle(curl)
                else:
                    self._finish(curl.handle, curl.handle.failure(code, text))

    def _expire_overdue(self) -> None:
        """Give up what has taken too long.

        libcurl's own limit of the whole transfer would cost a timer for each request.
        """
        now = time.monotonic()
        while self._active and (oldest := next(iter(self._active))).deadline <= now:
            detail = f"no complete answer within {self._timeout:g} s"
            self._finish(oldest, oldest.failure(pycurl.E_OPERATION_TIMEDOUT, "", detail))

    def _finish(self, handle: CurlHandle, result: HttpResponse | TransportFailure) -> None:
        self._multi.remove_handle(handle.curl)
        on_response = handle.release()
        del self._active[handle]
        self._idle.append(handle)
        on_response(result)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _watch_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        """Watch the sockets that libcurl names; its flags are those of selectors.

        A socket that it lets go is watched on: libcurl would use a connection again that the
        server closed just now.
        """
        known = self._selector.get_map().get(fd)
        if what == pycurl.POLL_REMOVE:
            if known is not None:
                self._idle_sockets.add(fd)
                self._selector.modify(fd, selectors.EVENT_READ)
        elif fd in self._idle_sockets or known is None:  # perhaps a new socket of the same number
            self._forget_socket(fd)
            self._selector.register(fd, what)
        else:
            self._selector.modify(fd, what)

    def _forget_socket(self, fd: int) -> None:
        self._idle_sockets.discard(fd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def _retire_socket(self, fd: int) -> None:
        """Keep requests off an idle connection that the server closed or spoke on."""
        self._forget_socket(fd)
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=fd)
            try:
                self._unusable_ports.add(sock.getsockname()[1])
            finally:
                sock.detach()
