"""Wall-clock deadlines: breaks the connection of a request that takes too long.

Socket timeouts start anew with every byte, so a server that sends one byte a second would hold a
request for ever.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator


class Deadline:
    """The deadline of one request, and the socket to break at it.

    connected: whether there was a connection, TLS and all, on which the request could leave.
    """

    def __init__(self) -> None:
        self.expired = self.done = self.connected = False
        self._sock: socket.socket | None = None

    def watch(self, sock: socket.socket | None) -> None:
        """Name the socket that is used from now on. Raises TimeoutError if it is too late."""
        self._sock = sock
        if self.expired:
            raise TimeoutError
        self.connected = True

    def expire(self) -> None:
        """Break the socket, or the next one."""
        self.expired = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


_of_thread = threading.local()
"""`deadline`: of the request that this thread is sending."""


def current_deadline() -> Deadline | None:
    """Return the deadline of the request that this thread is sending."""
    return getattr(_of_thread, "deadline", None)


class DeadlineWatcher:
    """A thread that breaks the connection of any request that is past its deadline."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def deadline_in(self, seconds: float) -> Iterator[Deadline]:
        """Within this block the thread's connection is broken after so many seconds."""
        deadline = _of_thread.deadline = Deadline()
        moment = time.monotonic() + seconds
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="capi-deadlines", daemon=True
                )
                self._thread.start()
            heapq.heappush(self._heap, (moment, next(self._order), deadline))
            if self._heap[0][0] == moment:
                self._changed.notify()
        try:
            yield deadline
        finally:
            deadline.done = True
            _of_thread.deadline = None

    def close(self) -> None:
        """Stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                while self._heap and self._heap[0][2].done:
                    heapq.heappop(self._heap)
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                _, _, deadline = heapq.heappop(self._heap)
                if not deadline.done:
                    deadline.expire()
