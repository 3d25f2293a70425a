"""Who may talk to the receiver: callers who call this machine by a name of its own.

Any page in a browser can send requests to loopback, and by DNS rebinding it can read the responses
too: then their `Host` is the page's own. What changes the receiver takes JSON only, which a page of
another origin cannot send without asking first, and no such page may ask.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.delivery.transports.base import MISDIRECTED

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class KnownHosts:
    """Refuses requests whose `Host` is not one of the receiver's names.

    Args:
        application: takes the others.
        names: without ports; IPv6 addresses in brackets.
    """

    def __init__(self, application: ASGIApp, names: Collection[str]) -> None:
        self._application, self._names = application, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, as ASGI wants it."""
        application = self._application
        if scope["type"] == "http" and _name(Headers(scope=scope)) not in self._names:
            application = _refusal(
                MISDIRECTED,
                f"this receiver answers to {', '.join(self._names)} only; start it with"
                " --allow-host NAME to reach it by another name",
            )
        await application(scope, receive, send)


def refusal_of_change(request: Request) -> Response | None:
    """Say why a request may not change the receiver; None where it may."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
        return _refusal(403, "a page of another origin may not control the receiver")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        return _refusal(415, "the body must be JSON, and say so: Content-Type: application/json")
    return None


def _name(headers: Headers) -> str:
    """Return the host that a request is for, in lower case and without a port."""
    host = headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _refusal(status: int, why: str) -> Response:
    return Response(orjson.dumps({"error": why}), status_code=status, media_type="application/json")
