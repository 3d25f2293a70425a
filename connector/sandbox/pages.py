"""Serves a page that is made anew for each request, to this machine alone."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from connector.sandbox.loopback import serving, wait

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors"
    " 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def serve_page(make: Callable[[], str], port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        make: Makes the page, in HTML.
        port: On this machine; 0 for a free one.
        announce: Called with the address once it answers.

    Raises:
        ConfigError: The port is taken.
    """

    def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(make(), headers=_POLICY)

    # A page of another name that points to this machine must not read it (DNS rebinding).
    known = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    application = Starlette(routes=[Route("/", page)], middleware=[known])
    with serving(lambda _url: application, port) as url:
        wait(lambda: announce(url))
