"""The call that carries a batch: address, headers and body, without credentials."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from connector.config.destination import Destination
from connector.delivery.transports.base import Call
from connector.syntax.urls import origin


def origins(destination: Destination) -> frozenset[str]:
    """Where requests of a destination may go: its endpoint, and where its token comes from."""
    platform = destination.platform
    return frozenset(
        origin(address)
        for address in (destination.model.endpoint or platform.endpoint, platform.auth.token_url)
        if address
    )


class Requests:
    """Builds the calls of one destination; everything but the body is worked out once."""

    def __init__(self, destination: Destination) -> None:
        platform, model = destination.platform, destination.model
        self._base = model.endpoint or platform.endpoint or ""
        self._values = {
            **platform.params,
            **{name: str(value) for name, value in model.account.items()},
        }
        path, query = platform.path, dict(platform.query)
        if model.test_mode and platform.test_mode is not None:
            if platform.test_mode.method == "path":
                path = str(platform.test_mode.value)
            elif platform.test_mode.method == "query":
                query[platform.test_mode.name] = (
                    model.test_mode
                    if isinstance(model.test_mode, str)
                    else str(platform.test_mode.value)
                )
        self.url = self.address(path, query)
        self._headers = {
            "Content-Type": "application/json",
            **{name: _filled(text, self._values) for name, text in platform.headers.items()},
        }

    def address(self, path: str, query: Mapping[str, str]) -> str:
        """An address of the platform. path, query: with {name} to be filled in."""
        filled = {name: _filled(text, self._values) for name, text in query.items()}
        base = self._base.rstrip("/") if path else self._base
        return (
            base
            + _filled(path, self._values, quote=True)
            + (f"?{urllib.parse.urlencode(filled)}" if filled else "")
        )

    def call(self, body: bytes) -> Call:
        """The call that carries a body."""
        return Call("POST", self.url, self._headers, body)


def _filled(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """`{name}` replaced by its value."""

    def value(match: re.Match[str]) -> str:
        found = values[match.group(1)]
        return urllib.parse.quote(found, safe="") if quote else found

    return re.sub(r"\{(\w+)\}", value, text)
