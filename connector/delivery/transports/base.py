"""What all transports have in common: what they take and give, and what none of them does.

This module imports no HTTP library.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple, Protocol

import certifi

from connector.errors import ConfigError, EndpointError, InternalError
from connector.syntax.urls import is_below

MAX_RESPONSE_BYTES = 1024 * 1024
"""A longer body is not read to its end and not understood."""

CONNECT_SECONDS = 5.0

MISDIRECTED = 421
"""The server wants the request on another connection (RFC 9110, section 15.5.20)."""


class HttpRequest(NamedTuple):
    """One request, ready to send.

    Attributes:
        url: Holds a secret only where the platform takes it in no other way.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class HttpResponse(NamedTuple):
    """A complete response.

    Attributes:
        headers: Lower-case names.
        body: Not read where the status alone says all, as of a redirect.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class TransportFailure(NamedTuple):
    """No complete response.

    Attributes:
        kind: `unsent` where the platform cannot have seen the request, `unknown` where it may have,
            `untrusted` where its certificate or TLS version is not acceptable.
        detail: A phrase for people, without addresses or values.
    """

    kind: Literal["unsent", "unknown", "untrusted"]
    detail: str


Result = HttpResponse | TransportFailure | InternalError
"""What comes of a request. An InternalError is a mistake in the transport: it may have left."""

OnResponse = Callable[[Result], None]
"""Takes the result of a request, in a thread of the transport: it must be quick, and not raise."""


class Transport(Protocol):
    """What every transport does."""

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """Send one request and wait for the response. A mistake of our own is raised."""
        ...

    def submit(self, request: HttpRequest, on_response: OnResponse) -> None:
        """Begin a request; returns at once."""
        ...

    def close(self) -> None:
        """Close connections and stop all threads."""
        ...


def require_origin(url: str, origins: Collection[str] | None) -> None:
    """Refuse an address whose host was not configured.

    Args:
        url: Where a request would go.
        origins: Those that are allowed; None allows any.

    Raises:
        EndpointError: The address has none of them.
    """
    if origins is not None and not any(is_below(url, origin) for origin in origins):
        raise EndpointError(
            "a request was about to leave for another host than the configured endpoint, and was"
            " not sent; check the platform file's addresses"
        )


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A context for TLS 1.2 or later.

    Args:
        ca_file: PEM file of the trusted certificate authority; None for those of certifi.

    Raises:
        ConfigError: the file cannot be read.
    """
    if ca_file is None:
        return _usual_context()
    try:
        return _context(ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"delivery.ca_file: {ca_file} is not a readable PEM certificate; give the file of the"
            " authority that signed the endpoint's certificate"
        ) from None


@functools.cache
def _usual_context() -> ssl.SSLContext:
    """One for all transports of this process: certifi's file takes some 20 ms to read."""
    return _context(certifi.where())


def _context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # SSLKEYLOGFILE would write session keys to disk.
    context.keylog_filename = None  # type: ignore[assignment]
    return context
