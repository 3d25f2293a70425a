"""Which transport a destination gets. The HTTP library of the other one is never imported."""

from __future__ import annotations

from typing import Any, Literal

from connector.delivery.sender import Sender
from connector.errors import ConfigError
from connector.extras import how_to_add

Choice = Literal["auto", "requests", "libcurl"]


def open_transport(choice: Choice, **options: Any) -> Sender:
    """A transport. choice: auto takes libcurl where the extra `fast` is installed. options: as of `Transport`.

    Raises ConfigError where libcurl is asked for and not there, or where it lacks something that safety needs.
    """
    if choice != "requests":
        lacking = _lacking()
        if lacking is None:
            from connector.delivery.curl import CurlTransport

            return CurlTransport(**options)
        if choice == "libcurl":
            raise ConfigError(f"delivery.transport: {lacking}; run: {how_to_add('pycurl')}, or choose requests")
    from connector.delivery.transport import Transport

    return Transport(**options)


def _lacking() -> str | None:
    """Why libcurl cannot be used, for people; None where it can."""
    try:
        from connector.delivery.curl import missing
    except ImportError:
        return "libcurl is not installed"
    return missing()
