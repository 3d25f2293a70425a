"""Columns that hold several e-mails, phones or ids of a person, as one column for each."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, trimmed
from connector.arrow.text import exact_text, parsed_json
from connector.platforms.columns import MAX_VALUES, SEVERAL, numbered


def spread_arrays(table: pa.Table) -> pa.Table:
    """The table with `email`, `email_2`, ... in place of an `email` that holds arrays.

    Arrays come as nested columns, or as JSON text from databases that have none. Of a row's array
    and its numbered columns the first three values are kept.
    """
    for name in SEVERAL:
        if name in table.column_names:
            column = table[name].combine_chunks()
            lists = _lists(column)
            if lists is not None:
                table = _spread(table, name, lists)
    return table


def _lists(column: pa.Array) -> list[Any] | None:
    """The rows' values, arrays as lists; None where no row has an array."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return list(column.to_pylist())
    if not pa.types.is_string(column.type) or not contains_bytes(column, among=b"["):
        return None
    bracketed = pc.fill_null(pc.starts_with(trimmed(column), "["), False)
    if not pc.any(bracketed).as_py():
        return None
    return [_list_of(value) for value in column.to_pylist()]


def _list_of(value: Any) -> Any:
    """JSON text of a list as that list; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        parsed = parsed_json(value)
    except ValueError:
        return value
    return parsed if isinstance(parsed, list) else value


def _spread(table: pa.Table, name: str, lists: list[Any]) -> pa.Table:
    names = (name, *numbered(name))
    further = [
        table[each].to_pylist() if each in table.column_names else [None] * len(lists)
        for each in names[1:]
    ]
    rows = [_of_row(value, others) for value, *others in zip(lists, *further, strict=True)]
    for place, each in enumerate(names):
        values = pa.array([row[place] for row in rows], pa.string())
        table = (
            table.set_column(table.column_names.index(each), each, values)
            if each in table.column_names
            else table.append_column(each, values)
        )
    return table


def _of_row(value: Any, others: list[Any]) -> list[str | None]:
    """The first values of a row, as text, filled up with None."""
    given = [*(value if isinstance(value, list) else [value]), *others]
    texts = [text for each in given if (text := exact_text(each))]
    return [*texts[:MAX_VALUES], *[None] * (MAX_VALUES - len(texts))]
