"""Counts of runs add up, however many processes add to them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from connector.state import runs
from connector.state.store import Store


def test_counts_add_up_name_by_name(store: Store) -> None:
    for _ in range(2):
        with store.write() as connection:
            runs.add(
                connection,
                "r",
                {},
                {"match": Counter(em=3, ph=1), "status": Counter({"200": 2})},
                None,
            )
    with store.read() as connection:
        assert runs.tallies(connection, "r") == {"match": {"em": 6, "ph": 2}, "status": {"200": 4}}


def test_names_that_begin_alike_for_longer_than_is_kept_count_as_one(store: Store) -> None:
    names = {"x" * 128 + end: number for end, number in (("a", 2), ("b", 3), ("", 4))}
    for _ in range(2):
        with store.write() as connection:
            runs.add(connection, "r", {}, {"rejected": Counter(names)}, None)
    with store.read() as connection:
        assert runs.tallies(connection, "r") == {"rejected": {"x" * 128: 18}}


def test_processes_that_count_the_same_names_at_once_lose_nothing(store: Store) -> None:
    """As the slices of a run do, each with a transaction of its own."""
    names = [f"n{number}" for number in range(20)]

    def add(turn: int) -> None:
        mine = names if turn % 2 else names[::-1]
        with store.write() as connection:
            runs.add(connection, "r", {}, {"match": Counter(dict.fromkeys(mine, 1))}, None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    with store.read() as connection:
        assert runs.tallies(connection, "r") == {"match": dict.fromkeys(sorted(names), 40)}
