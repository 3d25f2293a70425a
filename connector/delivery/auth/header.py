"""A token in a header: `Authorization: Bearer ...`, `X-Api-Key: ...`, `Access-Token: ...`."""

from __future__ import annotations

from connector.delivery.auth.base import NoAuth
from connector.delivery.transports.base import HttpRequest


class HeaderAuth(NoAuth):
    """A header with a token, behind a prefix such as `Bearer `."""

    def __init__(self, name: str, token: str, prefix: str = "") -> None:
        self._name, self._token, self._prefix = name, token, prefix

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Add the header."""
        headers = {**request.headers, self._name: self._prefix + self._token}
        return request._replace(headers=headers)
