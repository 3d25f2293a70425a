"""Apply a slow function to a column once per distinct value, or to a few exceptional rows only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def map_distinct(values: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """Map each distinct string; null stays null."""
    encoded = values.dictionary_encode()
    results = pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(results, encoded.indices)


def over_distinct(
    values: pa.Array, function: Callable[[pa.Array], pa.Array], most: float = 0.5
) -> pa.Array:
    """Apply a function of columns to the distinct values where strings repeat, otherwise to all.

    Args:
        values: Strings, shape (n,).
        function: Strings -> strings, value by value.
        most: The share of distinct values up to which it pays to find them.
    """
    if not _may_repeat(values):
        return function(values)
    encoded = values.dictionary_encode()
    if len(encoded.dictionary) > most * (len(values) - values.null_count):
        return function(values)
    return pc.take(function(encoded.dictionary), encoded.indices)


_SAMPLE = 1024


def _may_repeat(values: pa.Array) -> bool:
    """Whether the first values repeat enough to look at all of them; only speed depends on it."""
    sample = values.slice(0, _SAMPLE)
    return len(values) < 2 * _SAMPLE or len(sample.dictionary_encode().dictionary) <= 0.96 * (
        len(sample) - sample.null_count
    )


def map_exceptions(
    values: pa.Array, fast: pa.Array, exceptional: pa.Array, function: Callable[[str], str | None]
) -> pa.Array:
    """`fast`, with exceptional rows replaced by `function` of their value.

    Args:
        values: Strings, shape (n,).
        fast: The result for usual rows, shape (n,).
        exceptional: Booleans, shape (n,); null counts as false.
        function: String -> string.
    """
    chosen = pc.fill_null(exceptional, False)
    if not pc.any(chosen).as_py():
        return fast
    return pc.replace_with_mask(fast, chosen, map_distinct(values.filter(chosen), function))


def at_exceptions(
    values: pa.Array, exceptional: pa.Array, function: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """`values`, with exceptional rows replaced by a function of those rows as a column.

    Args:
        values: Strings, shape (n,).
        exceptional: Booleans, shape (n,); null counts as false.
        function: Strings -> strings, of the same length.
    """
    chosen = pc.fill_null(exceptional, False)
    if not pc.any(chosen).as_py():
        return values
    return pc.replace_with_mask(values, chosen, function(values.filter(chosen)))


def remembered(
    most: int, longest: int = 256
) -> Callable[[Callable[Rest, Result]], Callable[Rest, Result]]:
    """Cache the results of a function of a text, bounded by `most` x `longest` characters.

    Args:
        most: Results that are kept.
        longest: Characters of the first argument; results for longer ones are not kept.
    """

    def remember(function: Callable[Rest, Result]) -> Callable[Rest, Result]:
        kept = functools.lru_cache(maxsize=most)(function)

        @functools.wraps(function)
        def answer(*values: Rest.args, **named: Rest.kwargs) -> Result:
            if len(str(values[0])) > longest:
                return function(*values, **named)
            return kept(*values, **named)  # type: ignore[arg-type]

        return answer

    return remember
