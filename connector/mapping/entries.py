"""The entries of `contents` as columns, and as bindings for a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from connector.arrow.bytes import EDGES
from connector.arrow.text import exact_text, parsed_json
from connector.mapping.constants import Constants, constant_column
from connector.mapping.render import first_of
from connector.platforms.columns import ITEM_FIELDS
from connector.platforms.expression import Alternatives, Pipeline
from connector.platforms.functions import FUNCTIONS, Context, Values
from connector.platforms.functions.lists import MAX_ENTRIES


class EntryBindings:
    """The entries of a list column, flattened."""

    def __init__(
        self,
        fields: Mapping[str, pa.Array],
        digits: np.ndarray,
        constants: Constants,
        tables: Mapping[str, Mapping[str, str | int | bool]],
    ) -> None:
        """Bind entries.

        Args:
            fields: Field -> its values, each of shape (entries,).
            digits: Decimal digits of the currency of each entry's row, shape (entries,).
            constants: Values of `account.x` and `param.x`.
            tables: The platform file's look-up tables.
        """
        self.rows = len(digits)
        self._fields = fields
        self._constants = constants
        self._context = Context(pa.table(dict(fields)), digits, None, tables)

    def value(self, expression: Alternatives) -> Values:
        """An expression over the fields of an entry, shape (entries,)."""
        return first_of([self._pipeline(pipeline) for pipeline in expression.pipelines])

    def entries(self, column: str) -> tuple[pa.ListArray, EntryBindings]:
        """Entries hold no lists of their own."""
        raise ValueError(f"'{column}' is inside a list; only the row itself has lists")

    def _pipeline(self, pipeline: Pipeline) -> Values:
        if pipeline.space == "column":
            values: Values = self._fields[pipeline.name]
        else:
            values = constant_column(pipeline, self._constants, self.rows)
        for call in pipeline.calls:
            values = FUNCTIONS[call.name](values, self._context, call.argument)
        return values


def parse_entries(raw: pa.Array) -> tuple[pa.ListArray, dict[str, pa.Array]]:
    """Parse `contents`, given as JSON text or as nested columns.

    Returns:
        A list column, null where the value is no list of objects; and its fields as exact text,
        flattened.
    """
    kind = pa.list_(pa.struct([(name, pa.string()) for name in ITEM_FIELDS]))
    if raw.null_count == len(raw):
        column = pa.nulls(len(raw), kind)
    else:
        column = pa.array(
            [None if value is None else _entries_of(value) for value in raw.to_pylist()], kind
        )
    flat = column.flatten()
    return column, {name: flat.field(index) for index, name in enumerate(ITEM_FIELDS)}


def _entries_of(value: Any) -> list[dict[str, str | None]] | None:
    """The entries of one list; None where it is no list of objects, empty, or too long."""
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
    except ValueError:
        return None
    entries = [entry for entry in parsed if entry is not None] if isinstance(parsed, list) else []
    if not 0 < len(entries) <= MAX_ENTRIES or not all(isinstance(entry, dict) for entry in entries):
        return None
    return [
        {name: (exact_text(entry.get(name)) or "").strip(EDGES) or None for name in ITEM_FIELDS}
        for entry in entries
    ]
