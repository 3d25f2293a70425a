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
    from connector.delivery.transports.base import Answer, Call, Then, Transport, TransportFailure

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

    def send(self, call: Call) -> Answer | TransportFailure:
        """One request, one answer."""
        reach("before_send")
        answer = self._transport.send(call)
        reach("after_send")
        return answer

    def submit(self, call: Call, then: Then) -> None:
        """Begin a request."""

        def arrived(answer: Answer | TransportFailure) -> None:
            reach("after_send")
            then(answer)

        reach("before_send")
        self._transport.submit(call, arrived)

    def close(self) -> None:
        """Close connections and stop all threads."""
        self._transport.close()
