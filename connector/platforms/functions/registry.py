"""The register of functions that platform files may name, and what such a function is given.

A function takes a column and returns one of the same length. What it returns is written as a JSON
string, number or boolean by its type. A function that serialises by itself (numbers, lists,
objects) returns `Json`, and vouches for it: each text is one valid JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from connector.identifiers.demographics import DateOrder


class Json(NamedTuple):
    """Values that are JSON already.

    Attributes:
        text: Strings, shape (n,), null where there is no value.
    """

    text: pa.Array


Values: TypeAlias = "pa.Array | Json"


@dataclass(frozen=True)
class Context:
    """What a function may look at beside its own column.

    Attributes:
        table: The conformed conversions, shape (n, columns).
        digits: Decimal digits of each row's currency, shape (n,).
        region: ISO 3166 alpha-2 for national phones of rows without a country.
        tables: The platform file's look-up tables.
        date_order: Whether day or month comes first in birth dates with slashes.
    """

    table: pa.Table
    digits: np.ndarray
    region: str | None = None
    tables: Mapping[str, Mapping[str, str | int | bool]] = field(default_factory=dict)
    date_order: DateOrder | None = None

    def column(self, name: str) -> pa.Array | None:
        """A canonical column, if the source has it."""
        return self.table[name].combine_chunks() if name in self.table.column_names else None


Function = Callable[[Any, Context, str | None], Values]

FUNCTIONS: dict[str, Function] = {}

NORMALISERS: set[str] = set()
"""Functions that give null for a value that cannot be used; such values are counted."""

Taken: TypeAlias = Literal["text", "time", "flag", "any"]
"""What a function takes: texts, UTC instants, booleans, or a column of any type."""

TAKES: dict[str, Taken] = {}

Argument: TypeAlias = Literal["table", "json", "condition", "number"]
"""What a function's argument must be: the name of one of the file's `tables`, JSON, a condition
over a canonical column, or a whole number."""

ARGUMENTS: dict[str, Argument] = {}

LAST: set[str] = set()
"""Functions whose result is no text, so that no other function can follow."""


def function(
    name: str,
    *,
    takes: Taken = "text",
    normaliser: bool = False,
    argument: Argument | None = None,
    last: bool = False,
) -> Callable[[Function], Function]:
    """Register a function under the name that platform files use.

    Args:
        name: The name.
        takes: The kind of column it takes.
        normaliser: Whether null means that a value could not be used.
        argument: What its argument must be, where that can be checked.
        last: Whether its result is no text.
    """

    def register(implementation: Function) -> Function:
        FUNCTIONS[name] = implementation
        TAKES[name] = takes
        if normaliser:
            NORMALISERS.add(name)
        if argument is not None:
            ARGUMENTS[name] = argument
        if last:
            LAST.add(name)
        return implementation

    return register


def register_columnwise(
    *implementations: Callable[[pa.Array], pa.Array], normaliser: bool = True
) -> None:
    """Register functions of one column under their own names."""
    for implementation in implementations:
        function(implementation.__name__, normaliser=normaliser)(_columnwise(implementation))


def _columnwise(implementation: Callable[[pa.Array], pa.Array]) -> Function:
    return lambda values, _context, _argument: implementation(values)
