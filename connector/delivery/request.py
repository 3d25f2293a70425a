"""Builds the request that carries a batch: address, headers and body, without credentials."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from connector.config.destination import Destination
from connector.delivery.transports.base import HttpRequest
from connector.syntax.urls import origin


def origins(destination: Destination) -> frozenset[str]:
    """Return where a destination's requests may go: its endpoint and its token endpoint."""
    platform = destination.platform
    addresses = (destination.endpoint, platform.auth.token_url)
    return frozenset(origin(address) for address in addresses if address)


class RequestBuilder:
    """Builds the requests of one destination; everything but the body is worked out once."""

    def __init__(self, destination: Destination) -> None:
        platform, model = destination.platform, destination.model
        self._base = destination.endpoint
        defaults = {name: field.default for name, field in platform.account.items()}
        self._values = {
            **platform.params,
            **{name: value for name, value in defaults.items() if value is not None},
            **{name: str(value) for name, value in model.account.items()},
        }
        path, query = platform.path, dict(platform.query)
        if model.test_mode and platform.test_mode is not None:
            if platform.test_mode.method == "path":
                path = str(platform.test_mode.value)
            elif platform.test_mode.method == "query":
                given = model.test_mode if isinstance(model.test_mode, str) else None
                query[platform.test_mode.name] = given or str(platform.test_mode.value)
        self.url = self.address(path, query)
        validator = platform.answers.located.validator
        self.validator_url = (
            None if validator in (None, path) else self.address(str(validator), query)
        )
        self._headers = {
            "Content-Type": "application/json",
            **{name: _fill(text, self._values) for name, text in platform.headers.items()},
        }

    def address(self, path: str, query: Mapping[str, str]) -> str:
        """Build an address of the platform.

        Args:
            path: Template; {name} is filled from the settings.
            query: Names -> templates of values.
        """
        filled = {name: _fill(text, self._values) for name, text in query.items()}
        base = self._base.rstrip("/") if path else self._base
        address = base + _fill(path, self._values, quote=True)
        return f"{address}?{urllib.parse.urlencode(filled)}" if filled else address

    def build(self, body: bytes) -> HttpRequest:
        """Build the request that carries a body."""
        return HttpRequest("POST", self.url, self._headers, body)

    def build_validation(self, body: bytes) -> HttpRequest:
        """Build the request that has a body judged without delivering it.

        Raises:
            ValueError: The platform has no such address, or test mode goes there anyway.
        """
        if self.validator_url is None:
            raise ValueError("there is no address that only judges")
        return HttpRequest("POST", self.validator_url, self._headers, body)


def _fill(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """Replace each `{name}` by its value."""

    def value(match: re.Match[str]) -> str:
        found = values[match.group(1)]
        return urllib.parse.quote(found, safe="") if quote else found

    return re.sub(r"\{(\w+)\}", value, text)
