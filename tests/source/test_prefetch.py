"""The next item is made while one is used:
in order, no further ahead, and nothing is left running.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connector.source.prefetch import read_ahead


def reading() -> list[str]:
    """Threads that read ahead."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("capi-read")]


def test_one_item_is_made_ahead_and_no_more() -> None:
    made = [threading.Event() for _ in range(5)]

    def items() -> Iterator[int]:
        for item, event in enumerate(made):
            event.set()
            yield item

    with read_ahead(items()) as ahead:
        assert next(ahead) == 0
        assert made[1].wait(30)
        assert not made[2].is_set()
        assert list(ahead) == [1, 2, 3, 4]
    assert not reading()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with read_ahead(items()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(ValueError, match="broken"):
            next(ahead)
    assert not reading()


def test_what_makes_the_items_ends_with_the_reader() -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    with read_ahead(items()) as ahead:
        next(ahead)
    assert ended.is_set()
    assert not reading()
