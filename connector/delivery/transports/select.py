"""Which transport a destination gets. The HTTP library of the other one is never imported."""

from __future__ import annotations

from typing import Any, Literal

from connector.config.extras import how_to_add
from connector.delivery.transports.base import Sender
from connector.errors import ConfigError

Choice = Literal["auto", "requests", "libcurl"]


def open_transport(choice: Choice, **options: Any) -> Sender:
    """A transport. choice: auto takes libcurl where the extra `fast` is installed. options: as of `Transport`.

    Raises ConfigError where libcurl is asked for and not there, or where it lacks something that safety needs.
    """
    if choice != "requests":
        lacking = _lacking()
        if lacking is None:
            from connector.delivery.transports.libcurl import CurlTransport

            return CurlTransport(**options)
        if choice == "libcurl":
            raise ConfigError(
                f"delivery.transport: {lacking}; run: {how_to_add('pycurl')}, or choose requests"
            )
    from connector.delivery.transports.requests import Transport

    return Transport(**options)


def _lacking() -> str | None:
    """Why libcurl cannot be used, for people; None where it can."""
    try:
        from connector.delivery.transports.libcurl import missing
    except ImportError:
        return "libcurl is not installed"
    return missing()
