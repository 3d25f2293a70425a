"""Renews refused credentials once, whoever of several requests in flight notices first."""

from __future__ import annotations

import threading

from connector.delivery.auth.base import AuthScheme
from connector.delivery.transports.base import HttpRequest


class RenewedAuth:
    """A scheme together with a count of how often its credentials were renewed.

    The count tells apart a request that was signed with the old credentials from one that was
    refused with the new ones. New credentials must have worked before they are renewed again.
    """

    def __init__(self, scheme: AuthScheme) -> None:
        self._scheme = scheme
        self._lock = threading.Lock()
        self._renewals = self._accepted = 0

    def sign(self, request: HttpRequest) -> tuple[HttpRequest, int]:
        """Sign a request. Returns it with the number of renewals so far."""
        renewals = self._renewals
        return self._scheme.sign(request), renewals

    def accepted(self, renewals: int) -> None:
        """Note that the platform accepted credentials after so many renewals."""
        self._accepted = max(self._accepted, renewals)

    def renew(self, renewals: int) -> bool:
        """Renew refused credentials.

        Args:
            renewals: as `sign` returned them for the refused request.

        Returns:
            Whether another attempt makes sense, because there are new credentials.
        """
        with self._lock:
            if self._renewals == renewals:
                if renewals > self._accepted or not self._scheme.refresh():
                    return False
                self._renewals += 1
            return True
