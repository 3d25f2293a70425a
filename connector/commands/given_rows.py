"""Rows that a person gives, in place of those that the query would give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from connector.arrow.composite_key import joined, joined_key
from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array
from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.mapping.coverage import usable_columns
from connector.platforms.columns import COLUMNS, EXTRA
from connector.source.mapped_columns import extra_columns
from connector.syntax.spelling import suggest


def given_rows(
    destination: Destination, rows: Sequence[Mapping[str, Any]]
) -> tuple[pa.Table, pa.Array]:
    """Rows as a serializer takes them.

    Args:
        destination: Where they would go.
        rows: Canonical columns, or the query's own names where the destination renames them.

    Returns:
        Canonical and `extra.` columns, shape (n, columns), and key texts, shape (n,). A row without
        the key columns gets a key made of its own content.

    Raises:
        ConfigError: A row has a column that is neither.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: array_of_values([row.get(name) for row in rows]) for name in names})
    keys = pa.array([_key(destination, row) for row in rows], pa.string())
    return _mapped(destination, table, len(rows)), keys


def given_table(destination: Destination, table: pa.Table) -> tuple[pa.Table, pa.Array]:
    """As `given_rows`, for Arrow columns."""
    mapped = _mapped(destination, table, table.num_rows)
    columns = destination.model.source.keys
    if set(columns) <= set(table.column_names):
        keys = [text_array(table[name]) for name in columns]
        if not any(key.null_count for key in keys):
            return mapped, joined(keys)
    rows = table.to_pylist()
    return mapped, pa.array([_key(destination, row) for row in rows], pa.string())


def _mapped(destination: Destination, table: pa.Table, rows: int) -> pa.Table:
    model = destination.model
    extra = extra_columns(destination)
    _refuse_unknown(destination, table.column_names, extra)
    columns: dict[str, pa.Array] = {}
    for name in usable_columns(destination):
        given = name if name in table.column_names else model.columns.get(name, name)
        if given in table.column_names:
            columns[name] = table[given]
    for name in extra:
        there = name in table.column_names
        columns[EXTRA + name] = table[name] if there else pa.nulls(rows, pa.string())
    return pa.table(columns or {"event_name": pa.nulls(rows, pa.string())})


def _refuse_unknown(destination: Destination, names: Iterable[str], extra: Sequence[str]) -> None:
    model = destination.model
    known = {*COLUMNS, *model.columns.values(), *extra, model.source.cursor, *model.source.keys}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ConfigError(
            f"the rows have columns that are not canonical: {', '.join(unknown[:10])}"
            f"{suggest(unknown[0], COLUMNS)}; `capi check` and docs/columns.md list those there are"
        )


def _key(destination: Destination, row: Mapping[str, Any]) -> str:
    parts = [row.get(name) for name in destination.model.source.keys]
    if all(part is not None for part in parts):
        return joined_key([str(part) for part in parts])
    content = orjson.dumps(row, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()
