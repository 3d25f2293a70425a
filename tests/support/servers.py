"""Raw HTTP and HTTPS servers on loopback, which behave as badly as a test asks."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import trustme


class Request(NamedTuple):
    """One request as it came.

    connection: which connection it came on, counted from 0; headers: lower-case names.
    """

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The other end of one connection."""

    def __init__(self, server: Server, sock: socket.socket, number: int) -> None:
        self._server, self._sock, self._number = server, sock, number
        self._buffer = b""

    def read(self) -> Request | None:
        """The next request, or None where the client is gone;
        it is remembered in the server's `requests`.
        """
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = self._exactly(int(headers.get("content-length", 0)))
        if body is None:
            return None
        method, target, _ = first.split(" ", 2)
        request = Request(self._number, method, target, headers, body)
        with self._server.lock:
            self._server.requests.append(request)
        return request

    def sip(self) -> bool:
        """Take whatever has come so far; False where the client is gone."""
        return self._more()

    def answer(
        self,
        status: int = 200,
        body: bytes | str = b'{"status":"ok"}',
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A complete, well-formed answer."""
        content = body.encode() if isinstance(body, str) else body
        given = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + content)

    def send(self, data: bytes) -> bool:
        """These bytes as they are; False where the client is gone."""
        try:
            self._sock.sendall(data)
        except OSError:
            return False
        return True

    def send_plain(self, data: bytes) -> None:
        """These bytes past TLS, as something in between might put them there."""
        os.write(self._sock.fileno(), data)

    def drip(self, data: bytes, every: float = 0.05) -> None:
        """These bytes again and again, one at a time,
        until the client or the test has had enough.
        """
        position = 0
        while not self._server.stopped.wait(every) and self.send(data[position : position + 1]):
            position = (position + 1) % len(data)

    def hold(self, seconds: float = 60.0) -> None:
        """Do nothing, but not longer than the test runs."""
        self._server.stopped.wait(seconds)

    def reset(self) -> None:
        """Close with RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket.close(self._sock)

    def close(self) -> None:
        """Close in order, so that the client sees the end of the stream."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        self._sock.close()

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(end)
        return head

    def _exactly(self, number: int) -> bytes | None:
        while len(self._buffer) < number:
            if not self._more():
                return None
        body, self._buffer = self._buffer[:number], self._buffer[number:]
        return body

    def _more(self) -> bool:
        try:
            data = self._sock.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)


Behaviour = Callable[[Peer], None]
"""What a server does with one connection."""


class Server:
    """A server that runs.

    connections: how many were accepted; requests: what came, in order; broken: TLS handshakes that
    failed.
    """

    def __init__(self, url: str, port: int) -> None:
        self.url, self.port = url, port
        self.requests: list[Request] = []
        self.connections = 0
        self.broken = 0
        self.stopped = threading.Event()
        self.lock = threading.Lock()


@contextlib.contextmanager
def serving(
    behave: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Server]:
    """A server whose connections all behave like this; host:
    the name in its address, which must mean this machine.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    server = Server(f"{'https' if tls else 'http'}://{host}:{port}", port)
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(accepted: socket.socket, number: int) -> None:
        sock = accepted
        try:
            if tls is not None:
                sock = tls.wrap_socket(accepted, server_side=True)
                sockets.append(sock)
            behave(Peer(server, sock, number))
        except OSError:
            server.broken += 1
        finally:
            sock.close()

    def accept() -> None:
        while not server.stopped.is_set():
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            sockets.append(accepted)
            thread = threading.Thread(
                target=serve, args=(accepted, server.connections), daemon=True
            )
            server.connections += 1
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.stopped.set()
        for sock in (listener, *sockets):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            sock.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)


def https(
    authority: trustme.CA, name: str = "localhost", newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for this name;
    `newest` may be as old as a server of 2006.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if newest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = newest
    context.maximum_version = newest
    return context


class Reply(NamedTuple):
    """What `answering` says. body: JSON-able, or bytes as they are."""

    status: int = 200
    body: object = {"status": "ok"}
    headers: Mapping[str, str] = {}


def answering(reply: Callable[[Request], Reply]) -> Behaviour:
    """A well-behaved server: every request gets the answer that `reply` gives,
    on connections that stay open.
    """

    def behave(peer: Peer) -> None:
        while (request := peer.read()) is not None:
            given = reply(request)
            body = given.body if isinstance(given.body, bytes) else orjson.dumps(given.body)
            peer.answer(given.status, body, given.headers)

    return behave


def record(number: int, **values: Any) -> bytes:
    """A record as the batching platform takes it."""
    return orjson.dumps({"id": f"event-{number:05d}", **values})


class BatchingPlatform:
    """Takes a batch whole or refuses it whole, as most platforms do;
    `bad` records are not acceptable. taken: id -> copies.
    """

    def __init__(
        self, bad: Sequence[int] = (), reply: Callable[[list[int], int], Reply] | None = None
    ) -> None:
        self.bad = {f"event-{number:05d}" for number in bad}
        self.taken: Counter[str] = Counter()
        self.reply = reply or (
            lambda _bad, _count: Reply(400, {"code": "E7", "message": "some event is not valid"})
        )
        self.takes_the_rest = False

    def __call__(self, request: Request) -> Reply:
        ids = [event["id"] for event in orjson.loads(request.body)["data"]]
        bad = [index for index, each in enumerate(ids) if each in self.bad]
        if not bad or self.takes_the_rest:
            self.taken.update(each for each in ids if each not in self.bad)
        return self.reply(bad, len(ids)) if bad else Reply(body={"received": len(ids)})


def once(act: Callable[[Peer, Request], None]) -> Behaviour:
    """Read one request, do this, and close."""

    def behave(peer: Peer) -> None:
        request = peer.read()
        if request is not None:
            act(peer, request)

    return behave


def head(*lines: str) -> bytes:
    """The start of an answer with these header lines."""
    return ("HTTP/1.1 200 OK\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


def raw(data: bytes) -> Behaviour:
    """Answer one request with these bytes and close."""

    def act(peer: Peer, _request: Request) -> None:
        peer.send(data)
        peer.close()

    return once(act)


def stalled(data: bytes, dripped: bytes) -> Behaviour:
    """Answer with some bytes, and then with one at a time for ever."""

    def act(peer: Peer, _request: Request) -> None:
        peer.send(data)
        peer.drip(dripped)

    return once(act)


def endless(first: bytes, sent: list[int]) -> Behaviour:
    """256 MiB of answer; `sent` counts how much of it left."""

    def act(peer: Peer, _request: Request) -> None:
        peer.send(first)
        for _ in range(256):
            if not peer.send(b"x" * 1024 * 1024):
                return
            sent.append(1024 * 1024)

    return once(act)


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])
