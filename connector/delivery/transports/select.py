"""Which transport a destination gets. The HTTP library of the other one is never imported."""

from __future__ import annotations

from typing import Any, Literal

from connector.config.extras import how_to_add
from connector.delivery.transports.base import Transport
from connector.errors import ConfigError

Choice = Literal["auto", "requests", "libcurl"]


def open_transport(choice: Choice, **options: Any) -> Transport:
    """Open a transport.

    Args:
        choice: `auto` takes libcurl where the extra `fast` is installed.
        options: as of `RequestsTransport`.

    Raises:
        ConfigError: libcurl is asked for and is not there, or lacks something that safety needs.
    """
    if choice != "requests":
        lacking = _lacking()
        if lacking is None:
            # Late: each transport brings an HTTP library that the other does not need.
            from connector.delivery.transports.libcurl import LibcurlTransport

            return LibcurlTransport(**options)
        if choice == "libcurl":
            raise ConfigError(
                f"delivery.transport: {lacking}; run: {how_to_add('pycurl')}, or choose requests"
            )
    # Late, as above.
    from connector.delivery.transports.requests import RequestsTransport

    return RequestsTransport(**options)


def _lacking() -> str | None:
    """Say why libcurl cannot be used; None where it can."""
    try:
        from connector.delivery.transports.libcurl import missing  # late: it needs an extra
    except ImportError:
        return "libcurl is not installed"
    return missing()
