"""Two schemes at once, such as a bearer token and a signature."""

from __future__ import annotations

from connector.delivery.auth.base import AuthScheme, NoAuth
from connector.delivery.transports.base import HttpRequest


class CombinedAuth(NoAuth):
    """Applies two schemes; the second signs what the first returns."""

    def __init__(self, first: AuthScheme, second: AuthScheme) -> None:
        self._first, self._second = first, second

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Apply both."""
        return self._second.sign(self._first.sign(request))
