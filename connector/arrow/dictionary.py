"""Apply a slow function of one value to a column, once per distinct value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

Rest = ParamSpec("Rest")
Answer = TypeVar("Answer")


def map_distinct(values: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """values: strings, shape (n,). Returns strings, shape (n,); null stays null."""
    encoded = values.dictionary_encode()
    results = pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(results, encoded.indices)


def over_distinct(
    values: pa.Array, function: Callable[[pa.Array], pa.Array], most: float = 0.5
) -> pa.Array:
    """A function of columns, given each distinct value once where values repeat.

    values: strings, shape (n,). most: the share of distinct values up to which it pays to find them.
    """
    if not _may_repeat(values):
        return function(values)
    encoded = values.dictionary_encode()
    if len(encoded.dictionary) > most * (len(values) - values.null_count):
        return function(values)
    return pc.take(function(encoded.dictionary), encoded.indices)


_SAMPLE = 1024


def _may_repeat(values: pa.Array) -> bool:
    """Whether the first texts tell that a look at all of them may pay; a guess about speed alone."""
    sample = values.slice(0, _SAMPLE)
    return len(values) < 2 * _SAMPLE or len(sample.dictionary_encode().dictionary) <= 0.96 * (
        len(sample) - sample.null_count
    )


def map_exceptions(
    values: pa.Array, fast: pa.Array, exceptional: pa.Array, function: Callable[[str], str | None]
) -> pa.Array:
    """`fast` where it is right, `function` of the value for the few rows that are `exceptional`.

    values, fast: strings, shape (n,). exceptional: booleans, shape (n,), null counting as false.
    """
    chosen = pc.fill_null(exceptional, False)
    if not pc.any(chosen).as_py():
        return fast
    return pc.replace_with_mask(fast, chosen, map_distinct(values.filter(chosen), function))


def at_exceptions(
    values: pa.Array, exceptional: pa.Array, function: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """Values as they are, but a function of columns of the few that are `exceptional`.

    values: strings, shape (n,). exceptional: booleans, shape (n,), null counting as false.
    """
    chosen = pc.fill_null(exceptional, False)
    if not pc.any(chosen).as_py():
        return values
    return pc.replace_with_mask(values, chosen, function(values.filter(chosen)))


def remembered(
    most: int, longest: int = 256
) -> Callable[[Callable[Rest, Answer]], Callable[Rest, Answer]]:
    """Keep the answers of a function of a text, in at most `most` x `longest` characters of texts; longer ones are not kept."""

    def remember(function: Callable[Rest, Answer]) -> Callable[Rest, Answer]:
        kept = functools.lru_cache(maxsize=most)(function)

        @functools.wraps(function)
        def answer(*values: Rest.args, **named: Rest.kwargs) -> Answer:
            if len(str(values[0])) > longest:
                return function(*values, **named)
            return kept(*values, **named)  # type: ignore[arg-type]

        return answer

    return remember
