"""Work one step ahead: the next item of an iterator is made in a thread while this one is used."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


@contextlib.contextmanager
def read_ahead(items: Iterator[Item], depth: int = 1) -> Iterator[Iterator[Item]]:
    """The same items, up to `depth` of them made before they are asked for. Exceptions surface where the item would."""
    made: queue.Queue[object] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                made.put(item, timeout=0.1)
                return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001  it is raised again in the reader
            put(error)
        else:
            put(_END)

    def taken() -> Iterator[Item]:
        while True:
            item = made.get()
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=make, name="capi-read", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()
