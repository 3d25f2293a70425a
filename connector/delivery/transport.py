"""One way out of the process: HTTPS to the configured host, with a wall-clock deadline and a cap on the answer.

Nothing in the environment changes where a request goes or what it carries: no proxies, no netrc, no CA overrides, no
redirects, no cookies. This is the only module that imports requests.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal, NamedTuple

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connector.errors import ConfigError

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer that are read; a longer one is not understood."""

CONNECT_SECONDS = 5.0


class Call(NamedTuple):
    """One request, ready to send. url: without secrets unless the platform knows no other way."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """A complete answer. headers: lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(NamedTuple):
    """No complete answer.

    kind: `unsent` where the platform cannot have seen the request, `unknown` where it may have, `untrusted` where its
    certificate or TLS version is not acceptable. detail: a word for people, without addresses or values.
    """

    kind: Literal["unsent", "unknown", "untrusted"]
    detail: str


class Transport:
    """Sends calls; safe to use from many threads.

    timeout: seconds from the start of a request to the last byte of its answer. connections: how many stay open.
    """

    def __init__(self, *, timeout: float = 30.0, connections: int = 8, ca_file: str | None = None) -> None:
        self._timeout = timeout
        self._reaper = _Reaper()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.mount("https://", _Adapter(connections, _tls(ca_file)))
        self.session.mount("http://", _Adapter(connections, None))
        for name in list(self.session.headers):
            del self.session.headers[name]

    def send(self, call: Call) -> Answer | Failure:
        """One request, one answer; never raises for anything the network does."""
        with self._reaper.limit(self._timeout) as limit:
            result = self._exchange(call)
        if limit.expired and isinstance(result, Failure) and result.kind == "unknown":
            return Failure("unknown", f"no complete answer within {self._timeout:g} s")
        return result

    def close(self) -> None:
        """Close connections and stop the deadline thread."""
        self.session.close()
        self._reaper.close()

    def _exchange(self, call: Call) -> Answer | Failure:
        response: requests.Response | None = None
        try:
            response = self.session.request(
                call.method,
                call.url,
                data=call.body,
                headers={"Accept-Encoding": "identity", "User-Agent": "capi-connector", **call.headers},
                timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            )
            body = response.raw.read(MAX_ANSWER + 1, decode_content=True)
            if len(body) > MAX_ANSWER:
                return Failure("unknown", "the answer is larger than 1 MiB")
            if response.raw.length_remaining:
                return Failure("unknown", "the answer broke off")
            return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _failure(error)
        finally:
            if response is not None:
                _give_back(response)


def _give_back(response: requests.Response) -> None:
    """Keep the connection of an answer that was read to its end, close any other."""
    if response.raw.length_remaining:
        response.close()
    else:
        response.raw.release_conn()


def _failure(error: BaseException) -> Failure:
    """What a network exception means for the records; its text is dropped, because it may quote the address."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError | urllib3.exceptions.SSLError | requests.exceptions.SSLError) for cause in causes):
        return Failure("untrusted", "the TLS connection could not be verified")
    unsent = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.NameResolutionError,
        urllib3.exceptions.ConnectTimeoutError,
        requests.exceptions.ConnectTimeout,
        requests.exceptions.InvalidURL,
    )
    if any(isinstance(cause, unsent) for cause in causes):
        return Failure("unsent", "no connection to the host")
    if any(isinstance(cause, TimeoutError | urllib3.exceptions.ReadTimeoutError) for cause in causes):
        return Failure("unknown", "no answer in time")
    return Failure("unknown", "the connection broke")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, and what urllib3 put inside it."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later against the given certificate authority, or the ones that requests brings."""
    try:
        context = ssl.create_default_context(cafile=ca_file or certifi.where())
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"delivery.ca_file: {ca_file} is not a readable PEM certificate; give the file of the authority that signed the endpoint's certificate"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.keylog_filename = None  # type: ignore[assignment]  # SSLKEYLOGFILE would write session keys to disk
    return context


class _Adapter(HTTPAdapter):
    """requests' adapter over connections that a deadline can break, with our TLS context and no retries of its own."""

    def __init__(self, connections: int, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context decides; nothing per request weakens it."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host_params, _ = super().build_connection_pool_key_attributes(request, True, cert)
        return host_params, {}


_current = threading.local()
"""The connection that this thread is using."""


class _Connection(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.connection = self
        super().request(*args, **kwargs)


class _SecureConnection(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _current.connection = self
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Limit:
    """A deadline of one request. holder: where the request will note the connection that it picks."""

    def __init__(self, holder: Any) -> None:
        self.expired = False
        self.done = False
        self.holder = holder


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
        _current.connection = None
        limit = _Limit(_current.__dict__)
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="capi-deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, (deadline, next(self._order), limit))
            if self._heap[0][0] == deadline:
                self._changed.notify()
        try:
            yield limit
        finally:
            limit.done = True

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
                    limit.expired = True
                    _break(limit.holder.get("connection"))


def _break(connection: HTTPConnection | None) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
