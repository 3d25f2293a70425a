"""Work ahead: the next items of an iterator are made in threads while this one is used."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

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
        if isinstance(items, Generator):
            items.close()


def made_at_once(make: Callable[[Item], Made], items: Iterator[Item], threads: int) -> Generator[Made, None, None]:
    """What is made of each item, in the items' order, by so many threads. Exceptions surface where the result would.

    Up to `threads` results are made before they are asked for. The first is made before a second item is asked for, so what is
    learned from it counts. With no threads everything is made when it is asked for.
    """
    if not threads:
        yield from map(make, items)
        return
    yield from map(make, islice(items, 1))
    executor = ThreadPoolExecutor(threads, "capi-ask")
    under_way: deque[Future[Made]] = deque()
    try:
        for item in items:
            under_way.append(executor.submit(make, item))
            if len(under_way) > threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
