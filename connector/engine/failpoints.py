"""Named places where the chaos tests end the process; without CAPI_FAILPOINT nothing happens.

`CAPI_FAILPOINT=before_commit:3` ends it, as `kill -9` would, the third time `before_commit` is
reached. `CAPI_FAILPOINT=after_send:1:stop` puts it to sleep, as SIGSTOP would, until it is woken.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.delivery.transports.base import (
        HttpRequest,
        HttpResponse,
        OnResponse,
        Result,
        Transport,
        TransportFailure,
    )

NAMES = (
    "before_intent",
    "before_send",
    "after_send",
    "before_commit",
    "inside_commit",
    "after_commit",
    "after_plan",
    "before_settle",
)

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Say that execution has come to a failpoint."""
    wanted = os.environ.get("CAPI_FAILPOINT")
    if not wanted:
        return
    at, times, action = (*wanted.split(":"), "", "")[:3]
    if at == name:
        _reached[name] += 1
        if _reached[name] == int(times or 1):
            os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)


def around(transport: Transport) -> Transport:
    """A transport with a failpoint around each request; the transport itself where none is set."""
    return _Watched(transport) if os.environ.get("CAPI_FAILPOINT") else transport


class _Watched:
    """A transport that says when a request leaves and when its answer is there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """Send one request and wait for the response."""
        reach("before_send")
        response = self._transport.send(request)
        reach("after_send")
        return response

    def submit(self, request: HttpRequest, on_response: OnResponse) -> None:
        """Begin a request; returns at once."""

        def responded(result: Result) -> None:
            reach("after_send")
            on_response(result)

        reach("before_send")
        self._transport.submit(request, responded)

    def close(self) -> None:
        """Close connections and stop all threads."""
        self._transport.close()
