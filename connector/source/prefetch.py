"""Work ahead: the next items of an iterator are made in threads while this one is used."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_END = object()


@contextlib.contextmanager
def read_ahead(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The same items; while one is used, the next one is made, and no more. Exceptions surface where the item would."""
    executor = ThreadPoolExecutor(1, "capi-read")

    def taken() -> Iterator[Item]:
        following = executor.submit(next, items, _END)
        while (item := following.result()) is not _END:
            following = executor.submit(next, items, _END)
            yield item  # type: ignore[misc]

    try:
        yield taken()
    finally:
        executor.shutdown()
        if isinstance(items, Generator):
            items.close()


def made_at_once(
    make: Callable[[Item], Made], items: Iterator[Item], threads: int
) -> Generator[Made, None, None]:
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
