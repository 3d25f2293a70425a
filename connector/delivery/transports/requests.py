"""One way out of the process: HTTPS to the configured host, with a wall-clock deadline and a cap on the answer.

Nothing in the environment changes where a request goes or what it carries: no proxies, no netrc, no CA overrides, no
redirects, no cookies. This is the only module that imports requests.
"""

from __future__ import annotations

import contextlib
import heapq
import http.client
import io
import itertools
import logging
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

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


class RequestsTransport:
    """Sends calls; safe to use from many threads.

    timeout: seconds from the start of a request to the last byte of its answer. connections: how many stay open. origins:
    `https://host[:port]`, the only ones that requests may go to; None for any.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        connections: int = 8,
        ca_file: str | None = None,
        origins: Collection[str] | None = None,
    ) -> None:
        self._timeout, self._origins = timeout, origins
        self._reaper = _Reaper()
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="capi-http")
        self.session = _Session()
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.mount("https://", _Adapter(connections, tls_context(ca_file)))
        self.session.mount("http://", _Adapter(connections, None))
        for name in list(self.session.headers):
            del self.session.headers[name]
        self._last: tuple[str, str, Mapping[str, str], requests.PreparedRequest] = (
            "",
            "",
            {},
            requests.PreparedRequest(),
        )

    def send(self, call: Call) -> Answer | TransportFailure:
        """One request, one answer; never raises for anything the network does. Raises EndpointError for a host that was not configured."""
        refuse_elsewhere(call.url, self._origins)
        with self._reaper.limit(self._timeout) as limit:
            result = self._exchange(call, limit)
        if limit.expired and (isinstance(result, Answer) or result.kind == "unknown"):
            return TransportFailure("unknown", f"no complete answer within {self._timeout:g} s")
        return result

    def submit(self, call: Call, then: Then) -> None:
        """Begin a request; returns at once. Raises what `send` raises."""
        refuse_elsewhere(call.url, self._origins)
        self._pool.submit(lambda: then(self.send(call)))

    def close(self) -> None:
        """Close connections and stop all threads; requests under way are waited for."""
        self._pool.shutdown()
        self.session.close()
        self._reaper.close()

    def _exchange(self, call: Call, limit: _Limit) -> Answer | TransportFailure:
        response: requests.Response | None = None
        try:
            request = self._prepared(call)
            response = self.session.get_adapter(call.url).send(
                request, stream=True, timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout)
            )
            headers = {name.lower(): value for name, value in response.headers.items()}
            if 300 <= response.status_code < 400 or response.status_code == MISDIRECTED:
                return Answer(response.status_code, headers, b"")
            body = response.raw.read(MAX_ANSWER + 1, decode_content=True)
            if len(body) > MAX_ANSWER:
                return TransportFailure("unknown", "the answer is larger than 1 MiB")
            if response.raw.length_remaining:
                return TransportFailure("unknown", "the answer broke off")
            answer = Answer(response.status_code, headers, body)
            response.raw.release_conn()
            response = None
            return answer
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
        ) as error:
            return _failure(error, connected=limit.connected)
        finally:
            if response is not None:
                _close(response)

    def _prepared(self, call: Call) -> requests.PreparedRequest:
        """What the session makes of a call. Only the body differs from one call to the next, as a rule, so the rest is kept."""
        method, url, headers, known = self._last
        if (call.method, call.url, call.headers) != (method, url, headers):
            given = {"Accept-Encoding": "identity", "User-Agent": "capi-connector", **call.headers}
            known = self.session.prepare_request(requests.Request(call.method, call.url, given))
            known.headers.pop("Content-Length", None)
            self._last = call.method, call.url, dict(call.headers), known
        request = requests.PreparedRequest()
        request.method, request.url, request.headers, request.body = (
            known.method,
            known.url,
            known.headers,
            call.body or None,
        )
        return request


def _close(response: requests.Response) -> None:
    """End the connection of an answer that was not read to its end."""
    if response.raw.connection is not None:
        response.raw.connection.close()
    response.close()


_BROKEN_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def _failure(error: BaseException, *, connected: bool) -> TransportFailure:
    """What a network exception means for the records; its text is dropped, because it may quote the address.

    connected: whether there was a connection, TLS and all, on which the request could leave.
    """
    causes = list(_causes(error))
    if not connected:
        if any(
            isinstance(cause, ssl.SSLError) and not isinstance(cause, _BROKEN_HANDSHAKE)
            for cause in causes
        ):
            return TransportFailure("untrusted", "the TLS connection could not be verified")
        return TransportFailure("unsent", "no connection to the host")
    if any(
        isinstance(cause, TimeoutError | urllib3.exceptions.ReadTimeoutError) for cause in causes
    ):
        return TransportFailure("unknown", "no answer in time")
    return TransportFailure("unknown", "the connection broke")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, and what urllib3 put inside it."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [
                current.__cause__,
                current.__context__,
                getattr(current, "reason", None),
                *current.args,
            ]


class _Adapter(HTTPAdapter):
    """requests' adapter over connections that a deadline can break, with our TLS context and no retries of its own.

    What it leaves out of `send` is what nobody asked for: proxies, cookies, and a look-up of the connection pool in six steps.
    """

    def __init__(self, connections: int, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._pools: dict[str, HTTPConnectionPool] = {}
        super().__init__(
            pool_connections=8, pool_maxsize=connections, max_retries=0, pool_block=False
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(
        self, request: requests.PreparedRequest, *_args: Any, timeout: Any = None, **_kwargs: Any
    ) -> requests.Response:
        """One request. Its body is not read yet, redirects are not followed. Raises urllib3's exceptions."""
        origin, target = _split(str(request.url))
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        raw = self._pool_of(origin).urlopen(
            request.method or "POST",
            target,
            body=request.body,
            headers=request.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=self.max_retries,
            timeout=urllib3.Timeout(connect=connect, read=read),
        )
        response = requests.Response()
        response.status_code, response.raw, response.request, response.url = (
            raw.status,
            raw,
            request,
            str(request.url),
        )
        response.headers.update(raw.headers)
        return response

    def _pool_of(self, origin: str) -> HTTPConnectionPool:
        if origin not in self._pools:
            self._pools[origin] = self.poolmanager.connection_from_url(origin)
        return self._pools[origin]

    def close(self) -> None:
        """Close all connections."""
        while self._pools:
            self._pools.popitem()[1].close()
        super().close()


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port of an address that requests has parsed, and the rest."""
    end = url.find("/", 8)
    return url[:end], url[end:]


class _Session(requests.Session):
    """A session that does not even look at where a redirect points: requests would read its whole body first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class _Limit:
    """The deadline of one request, and the socket to break at it. connected: whether the request could leave."""

    def __init__(self) -> None:
        self.expired = self.done = self.connected = False
        self.sock: socket.socket | None = None

    def watch(self, sock: socket.socket) -> None:
        """This socket is used from now on."""
        self.sock = sock
        if self.expired:
            raise TimeoutError

    def expire(self) -> None:
        """Break the socket, or the next one."""
        self.expired = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


_current = threading.local()
"""`limit`: of the request that this thread is sending."""


def _is_of_others(_record: logging.LogRecord) -> bool:
    """Not from a request of ours: urllib3 logs whole addresses, and some hold a token."""
    return getattr(_current, "limit", None) is None


for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_is_of_others)


class _Lines(io.BufferedReader):
    """Lines of an answer. http.client takes the end of the stream for the end of a head; here it is an error."""

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise http.client.RemoteDisconnected("the answer broke off")
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _Lines(self.fp.detach())


class _Watched:
    """A connection that tells the deadline of its request which socket it uses. Connecting has time limits of its own."""

    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._watch()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._watch()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _watch(self) -> None:
        _current.limit.watch(self.sock)
        _current.limit.connected = True


class _Connection(_Watched, HTTPConnection):
    response_class = _Response


class _SecureConnection(_Watched, HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Reaper:
    """Breaks the connection of any request that is past its deadline.

    Socket timeouts start anew with every byte, so a server that sends one byte a second would hold a request for ever.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Limit]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[_Limit]:
        """Within this block the thread's connection is broken after so many seconds."""
        limit = _current.limit = _Limit()
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="capi-deadlines", daemon=True
                )
                self._thread.start()
            heapq.heappush(self._heap, (deadline, next(self._order), limit))
            if self._heap[0][0] == deadline:
                self._changed.notify()
        try:
            yield limit
        finally:
            limit.done = True
            _current.limit = None

    def close(self) -> None:
        """Stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                while self._heap and self._heap[0][2].done:
                    heapq.heappop(self._heap)
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                _, _, limit = heapq.heappop(self._heap)
                if not limit.done:
                    limit.expire()
