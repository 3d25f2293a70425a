"""Reads ahead: a thread makes the next item of an iterator while this one is used."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


@contextlib.contextmanager
def read_ahead(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The same items; while one is used, the next one is made, and no more.

    Exceptions surface where the item would.
    """
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
