"""What every authentication scheme does."""

from __future__ import annotations

from typing import Protocol

from connector.delivery.transports.base import HttpRequest

HIDDEN = "***"
"""Stands in place of every secret in a preview."""


class AuthScheme(Protocol):
    """One way to prove who sends a request."""

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Return the request with its proof; called anew for every attempt."""
        ...

    def refresh(self) -> bool:
        """Fetch a new token after a 401.

        Returns:
            False where there is none to fetch.
        """
        ...


class NoAuth:
    """For platforms that know the sender by other means; base of schemes without a refresh."""

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Return the request unchanged."""
        return request

    def refresh(self) -> bool:
        """Return False: there is nothing to refresh."""
        return False
