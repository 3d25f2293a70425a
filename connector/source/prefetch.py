"""Reads ahead: a thread makes the next item of an iterator while this one is used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_END: Any = object()


class Prefetch(Iterator[Item], Generic[Item]):
    """The items of an iterator, of which one is made ahead.

    Exceptions surface where the item would.

    on_ready: called, in the thread that makes items, whenever `next` need not wait any more.
    """

    def __init__(self, items: Iterator[Item], executor: Executor) -> None:
        self._items, self._executor = items, executor
        self._following: Future[Item] | None = None
        self.on_ready: Callable[[], None] = lambda: None

    def __next__(self) -> Item:
        following = self._following or self._begin()
        item = following.result()
        if item is _END:
            raise StopIteration
        self._begin()
        return item

    def ready(self) -> bool:
        """Whether the next item, the end or an exception is there."""
        return self._following is not None and self._following.done()

    def _begin(self) -> Future[Item]:
        self._following = self._executor.submit(next, self._items, _END)
        self._following.add_done_callback(lambda _future: self.on_ready())
        return self._following


@contextlib.contextmanager
def read_ahead(items: Iterator[Item]) -> Iterator[Prefetch[Item]]:
    """The same items; while one is used, the next one is made, and no more."""
    executor = ThreadPoolExecutor(1, "capi-read")
    try:
        yield Prefetch(items, executor)
    finally:
        executor.shutdown()
        if isinstance(items, Generator):
            items.close()
