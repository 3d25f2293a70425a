"""The machine's limit: `python -m benchmarks.raw BODIES URL CONNECTIONS` posts ready bodies.

Each connection is a thread that writes a request to a socket, reads the answer, and goes on: no
HTTP library, nothing read from a database, nothing made.
"""

from __future__ import annotations

import itertools
import mmap
import socket
import struct
import sys
import threading
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path


def keep(path: Path, bodies: Iterable[bytes]) -> None:
    """Write bodies, each behind its length."""
    with path.open("wb") as file:
        for body in bodies:
            file.write(struct.pack("<q", len(body)) + body)


def kept(data: mmap.mmap) -> Iterator[memoryview]:
    """The bodies of such a file."""
    view, start = memoryview(data), 0
    while start < len(view):
        (length,) = struct.unpack_from("<q", view, start)
        yield view[start + 8 : start + 8 + length]
        start += 8 + length


def main(path: str, url: str, connections: str) -> None:
    """Post them all."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    address = urllib.parse.urlsplit(url)
    bodies = enumerate(kept(data))
    lock = threading.Lock()

    def post() -> None:
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            for number in itertools.repeat(None):
                with lock:
                    number, body = next(bodies, (None, b""))
                if number is None:
                    return
                head = (
                    f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                connection.sendall(head.encode())
                connection.sendall(body)
                answer = connection.recv(65536)
                while b"}" not in answer:
                    answer += connection.recv(65536)

    threads = [threading.Thread(target=post) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
