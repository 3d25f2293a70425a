"""A receiver that does as little as it can: `python -m benchmarks.receiver LATENCY_SECONDS` prints its port, and answers every POST as Meta does.

It counts events by their `event_id` and reads nothing else, so that it takes far less time than whatever sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BODY = b'{"status":"ok","events_received":%d}'


class _Protocol(asyncio.Protocol):
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._parts: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, end, body = b"".join([*self._parts, data]).partition(b"\r\n\r\n")
            if not end:
                self._parts = [head]
                return
            length = head[head.lower().index(b"content-length:") + 15 :].split(b"\r\n", 1)[0]
            self._parts, self._missing = [body], int(length) - len(body)
        else:
            self._parts.append(data)
            self._missing -= len(data)
        if not self._missing:
            text = _BODY % b"".join(self._parts).count(b'"event_id"')
            self._parts = []
            answer = _HEAD % len(text) + text
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def _serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(latency), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def receiving(latency: float = 0.0) -> Iterator[str]:
    """A receiver in a process of its own; its address. latency: seconds before each answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver", str(latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Serve until the end."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(float(sys.argv[1])))
    else:
        uvloop.run(_serve(float(sys.argv[1])))


if __name__ == "__main__":
    main()
