"""Which transport a destination gets."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from connector.delivery.transport import Answer, Call, Failure, Then, Transport
from connector.errors import ConfigError
from connector.extras import how_to_add

Choice = Literal["auto", "requests", "libcurl"]


class Sender(Protocol):
    """What every transport does."""

    def send(self, call: Call) -> Answer | Failure:
        """One request, one answer."""
        ...

    def submit(self, call: Call, then: Then) -> None:
        """Begin a request."""
        ...

    def close(self) -> None:
        """Close connections and stop all threads."""
        ...


def open_transport(choice: Choice, **options: Any) -> Sender:
    """A transport. choice: auto takes libcurl where the extra `fast` is installed. options: as of `Transport`.

    Raises ConfigError where libcurl is asked for and not there, or where it lacks something that safety needs.
    """
    if choice == "requests":
        return Transport(**options)
    try:
        from connector.delivery.curl import CurlTransport, missing
    except ImportError:
        lacking: str | None = "libcurl is not installed"
    else:
        lacking = missing()
        if lacking is None:
            return CurlTransport(**options)
    if choice == "auto":
        return Transport(**options)
    raise ConfigError(f"delivery.transport: {lacking}; run: {how_to_add('pycurl')}, or choose requests")
