"""One way out of the process: HTTPS to the configured host, with a wall-clock deadline and a cap.

Nothing in the environment changes where a request goes or what it carries: no proxies, no netrc,
no CA overrides, no redirects, no cookies. This is the only module that imports requests.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import ssl
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
    MAX_RESPONSE_BYTES,
    MISDIRECTED,
    HttpRequest,
    HttpResponse,
    OnResponse,
    Result,
    TransportFailure,
    require_origin,
    tls_context,
)
from connector.delivery.transports.deadline import Deadline, DeadlineWatcher, current_deadline
from connector.errors import InternalError

_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")
"""Of urllib3: they log whole addresses, and some addresses hold a token."""


class RequestsTransport:
    """Sends requests; safe to use from many threads.

    Args:
        timeout: seconds from the start of a request to the last byte of its response.
        connections: how many stay open.
        ca_file: PEM file of the trusted certificate authority; None for those of certifi.
        origins: `https://host[:port]`, the only ones that requests may go to; None for any.

    Raises:
        ConfigError: `ca_file` cannot be read.
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
        self._deadlines = DeadlineWatcher()
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
        for name in _LOGGERS:
            logging.getLogger(f"urllib3.{name}").addFilter(self._is_of_others)

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """Send one request and wait for the response.

        Returns:
            The response, or why there is none; whatever the network does is no exception.

        Raises:
            EndpointError: the host was not configured.
        """
        require_origin(request.url, self._origins)
        with self._deadlines.deadline_in(self._timeout) as deadline:
            result = self._exchange(request, deadline)
        if deadline.expired and (isinstance(result, HttpResponse) or result.kind == "unknown"):
            return _too_late(self._timeout)
        return result

    def submit(self, request: HttpRequest, on_response: OnResponse) -> None:
        """Begin a request; returns at once. Raises what `send` raises."""
        require_origin(request.url, self._origins)
        self._pool.submit(self._send_for, request, on_response)

    def close(self) -> None:
        """Close connections and stop all threads; requests in flight are waited for."""
        self._pool.shutdown()
        self.session.close()
        self._deadlines.close()
        for name in _LOGGERS:
            logging.getLogger(f"urllib3.{name}").removeFilter(self._is_of_others)

    def _send_for(self, request: HttpRequest, on_response: OnResponse) -> None:
        """Send a request in a thread of the pool; `on_response` is called in any case."""
        try:
            result: Result = self.send(request)
        except BaseException as error:  # noqa: BLE001  its text may quote the request
            result = InternalError.of(error)
        on_response(result)

    def _is_of_others(self, _record: logging.LogRecord) -> bool:
        """Keep only log records that do not come from a request of this package."""
        return current_deadline() is None

    def _exchange(
        self, request: HttpRequest, deadline: Deadline
    ) -> HttpResponse | TransportFailure:
        response: requests.Response | None = None
        try:
            response = self.session.get_adapter(request.url).send(
                self._prepared(request),
                stream=True,
                timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
            )
            headers = {name.lower(): value for name, value in response.headers.items()}
            if 300 <= response.status_code < 400 or response.status_code == MISDIRECTED:
                return HttpResponse(response.status_code, headers, b"")
            body = response.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=True)
            if len(body) > MAX_RESPONSE_BYTES:
                return TransportFailure("unknown", "the answer is larger than 1 MiB")
            if response.raw.length_remaining:
                return TransportFailure("unknown", "the answer broke off")
            complete = HttpResponse(response.status_code, headers, body)
            response.raw.release_conn()
            response = None
            return complete
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
        ) as error:
            return _failure(error, connected=deadline.connected, timeout=self._timeout)
        finally:
            if response is not None:
                _close(response)

    def _prepared(self, request: HttpRequest) -> requests.PreparedRequest:
        """Prepare a request as the session does.

        Only the body differs from one request to the next, as a rule, so the rest is kept.
        """
        method, url, headers, known = self._last
        if (request.method, request.url, request.headers) != (method, url, headers):
            given = {"Accept-Encoding": "identity", "User-Agent": "capi-connector"}
            known = self.session.prepare_request(
                requests.Request(request.method, request.url, {**given, **request.headers})
            )
            known.headers.pop("Content-Length", None)
            self._last = request.method, request.url, dict(request.headers), known
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url, prepared.headers = known.method, known.url, known.headers
        prepared.body = request.body or None
        return prepared


def _close(response: requests.Response) -> None:
    """End the connection of a response that was not read to its end."""
    if response.raw.connection is not None:
        response.raw.connection.close()
    response.close()


def _too_late(timeout: float) -> TransportFailure:
    """Of the deadline and the socket's own timeout, either may end a silent request."""
    return TransportFailure("unknown", f"no complete answer within {timeout:g} s")


_BROKEN_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def _failure(error: BaseException, *, connected: bool, timeout: float) -> TransportFailure:
    """Translate a network exception; its text is dropped, because it may quote the address.

    Args:
        error: The exception.
        connected: Whether there was a connection, with TLS, on which the request could leave.
        timeout: Seconds that the request had.
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
        return _too_late(timeout)
    return TransportFailure("unknown", "the connection broke")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what caused it, and what urllib3 put inside it."""
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
    """requests' adapter, with our TLS context, connections with deadlines and no retries.

    What it leaves out of `send` is what nobody asked for: proxies, cookies, and a look-up of the
    connection pool in six steps.
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
        """Send one request; its body is not read yet, redirects are not followed.

        Raises:
            urllib3.exceptions.HTTPError: the network failed.
        """
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
        response.status_code, response.raw = raw.status, raw
        response.request, response.url = request, str(request.url)
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
    """Split an address that requests has parsed into scheme, host and port, and the rest."""
    end = url.find("/", 8)
    return url[:end], url[end:]


class _Session(requests.Session):
    """Ignores where a redirect points: requests would read its whole body first."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None."""


class _StrictReader(io.BufferedReader):
    """Reads lines of a response; http.client takes the end of the stream for the end of a head."""

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise http.client.RemoteDisconnected("the answer broke off")
        return line


class _StrictResponse(http.client.HTTPResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _StrictReader(self.fp.detach())


class _WithDeadline:
    """A connection that tells the deadline of its request which socket it uses.

    Connecting has time limits of its own.
    """

    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._watch()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._watch()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _watch(self) -> None:
        deadline = current_deadline()
        if deadline is not None:
            deadline.watch(self.sock)


class _Connection(_WithDeadline, HTTPConnection):
    response_class = _StrictResponse


class _SecureConnection(_WithDeadline, HTTPSConnection):
    response_class = _StrictResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
