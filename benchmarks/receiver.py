"""A receiver that does as little as it can, in a process of its own.

It answers every POST after a given time as the platforms do, counts events by their `event_id`, and
reads nothing else, so that it takes far less time than whatever sends. A GET is answered with what
came since the GET before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY = b'{"status":"ok","events_received":%d}'


class Totals(NamedTuple):
    """What came. seconds_to_first: from the GET before until the first request was whole."""

    requests: int
    events: int
    connections: int
    seconds_to_first: float


class Receiver(NamedTuple):
    """A receiver that runs. url: its address."""

    url: str

    def totals(self) -> Totals:
        """What came since this was last asked."""
        with urllib.request.urlopen(self.url, timeout=30) as response:
            return Totals(**json.load(response))


class _Counts:
    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.requests = self.events = self.connections = 0
        self.asked = self.first = asyncio.get_running_loop().time()

    def take(self, body: bytes) -> bytes:
        """Count a request; its answer."""
        if not self.requests:
            self.first = asyncio.get_running_loop().time()
        events = body.count(b'"event_id"')
        self.requests += 1
        self.events += events
        return _BODY % events

    def tell(self) -> bytes:
        """The totals, which begin anew."""
        totals = Totals(
            self.requests, self.events, self.connections, round(self.first - self.asked, 3)
        )
        self._begin()
        return json.dumps(totals._asdict()).encode()


class _Protocol(asyncio.Protocol):
    def __init__(self, latency: float, counts: _Counts) -> None:
        self._latency, self._counts = latency, counts
        self._parts: list[bytes] = []
        self._missing = 0
        self._is_new = True

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, end, body = b"".join([*self._parts, data]).partition(b"\r\n\r\n")
            if not end:
                self._parts = [head]
                return
            if head.startswith(b"GET"):
                self._parts = []
                self._answer(self._counts.tell(), 0)
                return
            self._counts.connections += self._is_new
            self._is_new = False
            length = head[head.lower().index(b"content-length:") + 15 :].split(b"\r\n", 1)[0]
            self._parts, self._missing = [body], int(length) - len(body)
        else:
            self._parts.append(data)
            self._missing -= len(data)
        if not self._missing:
            text = self._counts.take(b"".join(self._parts))
            self._parts = []
            self._answer(text, self._latency)

    def _answer(self, text: bytes, latency: float) -> None:
        answer = _HEAD % len(text) + text
        if latency:
            asyncio.get_running_loop().call_later(latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve(latency: float) -> None:
    counts = _Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(latency, counts), "127.0.0.1", 0, backlog=256
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def receiving(latency: float = 0.0) -> Iterator[Receiver]:
    """A receiver. latency: seconds before each answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver", str(latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Receiver(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1])))
