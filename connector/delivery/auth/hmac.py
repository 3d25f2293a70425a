"""A signature over the exact bytes: `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256>`.

What is signed is `<unix seconds>.<body>`. A receiver should refuse signatures older than five
minutes and compare in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from connector.delivery.auth.base import HIDDEN, NoAuth
from connector.delivery.transports.base import HttpRequest


class HmacAuth(NoAuth):
    """A header with time and signature.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, header: str, key: str, clock: Callable[[], float] = time.time) -> None:
        self._header, self._key, self._clock = header, key, clock

    def sign(self, request: HttpRequest) -> HttpRequest:
        """Add the header, with the time of this attempt."""
        timestamp, digest = HIDDEN, HIDDEN
        if self._key != HIDDEN:
            timestamp = str(int(self._clock()))
            signed = timestamp.encode() + b"." + request.body
            digest = hmac.new(self._key.encode(), signed, hashlib.sha256).hexdigest()
        headers = {**request.headers, self._header: f"t={timestamp},v1={digest}"}
        return request._replace(headers=headers)
