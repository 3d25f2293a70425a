"""Which transport a destination gets. The HTTP library of the other one is never imported."""

from __future__ import annotations

from typing import Any, Literal

from connector.config.extras import how_to_add
from connector.delivery.transports.base import Transport
from connector.errors import ConfigError

Choice = Literal["auto", "requests", "libcurl"]


def open_transport(choice: Choice, **options: Any) -> Transport:
    """A transport. choice: auto takes libcurl where the extra `fast` is installed. options: as of `RequestsTransport`.

    Raises ConfigError where libcurl is asked for and not there, or where it lacks something that safety needs.
    """
    if choice != "requests":
        lacking = _lacking()
        if lacking is None:
            from connector.delivery.transports.libcurl import LibcurlTransport

            return LibcurlTransport(**options)
        if choice == "libcurl":
            raise ConfigError(
                f"delivery.transport: {lacking}; run: {how_to_add('pycurl')}, or choose requests"
            )
    from connector.delivery.transports.requests import RequestsTransport

    return RequestsTransport(**options)


def _lacking() -> str | None:
    """Why libcurl cannot be used, for people; None where it can."""
    try:
        from connector.delivery.transports.libcurl import missing
    except ImportError:
        return "libcurl is not installed"
    return missing()
