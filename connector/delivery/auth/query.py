"""A token in the query, for platforms that know no other way. Such addresses are never logged."""

from __future__ import annotations

import urllib.parse

from connector.delivery.auth.base import HIDDEN, NoAuth
from connector.delivery.transports.base import HttpRequest


class QueryAuth(NoAuth):
    """A query parameter with a token."""

    def __init__(self, name: str, token: str) -> None:
        self._name, self._token = name, token

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Add the parameter."""
        separator = "&" if "?" in request.url else "?"
        token = urllib.parse.quote(self._token, safe=HIDDEN)
        return request._replace(url=f"{request.url}{separator}{self._name}={token}")
