"""Apply a slow function of one value to a column, once per distinct value."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def map_distinct(values: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """values: strings, shape (n,). Returns strings, shape (n,); null stays null."""
    encoded = values.dictionary_encode()
    results = pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(results, encoded.indices)


def map_exceptions(values: pa.Array, fast: pa.Array, exceptional: pa.Array, function: Callable[[str], str | None]) -> pa.Array:
    """`fast` where it is right, `function` of the value for the few rows that are `exceptional`.

    values, fast: strings, shape (n,). exceptional: booleans, shape (n,), null counting as false.
    """
    rows = pc.indices_nonzero(pc.fill_null(exceptional, False))
    if len(rows) == 0:
        return fast
    slow = map_distinct(pc.take(values, rows), function)
    return pc.replace_with_mask(fast, pc.fill_null(exceptional, False), slow)
