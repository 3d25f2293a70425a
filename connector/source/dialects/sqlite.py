"""SQLite's rows by column: SQLite joins each column of many rows to one text, and Arrow cuts it apart again.

Python's own module makes an object of every value, which takes longer than everything else together. What a joined text
cannot say for certain is None here, and the caller reads rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from connector.arrow.text import real_text
from connector.source.dialects.duckdb import is_in_order

_BETWEEN, _NULL, _OTHER = "\x1f", "\x01", "\x02"
"""What stands between two values, for a null, and for a value that is none of those that were asked for."""

_FIRST, _LAST = "\x03", "\U0010ffff"
"""Between these is every text but the empty one and those that could be taken for a sign; numbers are less, blobs are greater."""

_SCALE = 2**62
"""Times this, the fraction of a real number of 0.001 or more is whole: its last bit stands for 2**-62 or more."""

_LEAST, _MOST = 0.001, 9e18
"""Real numbers between these, or as far below zero, are their whole part in 64 bits and that fraction."""

Part = Literal["texts", "wholes", "fractions"]
"""What is joined of a column: texts; integers and the whole parts of real numbers; their fractions, which only real numbers have."""

_TEXTS: tuple[Part, ...] = ("texts",)
_INTEGERS: tuple[Part, ...] = ("wholes",)
_NUMBERS: tuple[Part, ...] = ("wholes", "fractions")
_ALL: tuple[Part, ...] = ("texts", "wholes", "fractions")
_MORE = {_TEXTS: _ALL, _INTEGERS: _NUMBERS, _NUMBERS: _ALL}
"""What is asked for where a column has something else."""


class SqliteColumns:
    """The fast way to read one SQLite database; remembers what its columns turned out to hold."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._hopeless: set[str] = set()
        self._suited: bool | None = None

    def fetch(self, connection: Connection, statement: sa.Select[Any]) -> pa.Table | None:
        """The rows of a statement without a limit, which orders by all columns whose names begin with `_`; None where they must be read another way."""
        if self._suited is None:
            self._suited = _is_suited(connection)
        if not self._suited or statement._has_row_limiting_clause:
            return None
        columns = {
            column.name: f"({getattr(column, 'element', column).compile(dialect=connection.dialect)})"
            for column in statement.selected_columns
        }
        try:
            if not columns.keys() <= self._parts.keys():
                self._parts |= _first_guess(connection, statement, columns)
            while self._hopeless.isdisjoint(columns):
                parts = {name: self._parts[name] for name in columns}
                read = _read(connection, statement, columns, parts)
                failed = [name for name, values in read.items() if values is None]
                if not failed:
                    table = pa.table(read)
                    return _in_order(table) if table.num_rows else table
                self._hopeless |= {name for name in failed if parts[name] not in _MORE}
                self._parts |= {name: _MORE.get(parts[name], _ALL) for name in failed}
        except SQLAlchemyError:
            pass
        return None

    def close(self) -> None:
        """Nothing: it has no connection of its own."""


def _is_suited(connection: Connection) -> bool:
    """Whether joined texts come as they are kept: any byte, in UTF-8 (in UTF-16 this would be other bytes), and taken for nothing else."""
    joined = "SELECT CAST(group_concat(x, '-') AS BLOB) FROM (SELECT 'a' || char(0) || 'b' AS x UNION ALL SELECT char(0))"
    return (
        "detect_types" not in connection.engine.url.query
        and connection.exec_driver_sql(joined).scalar() == b"a\0b-\0"
    )


def _first_guess(
    connection: Connection, statement: sa.Select[Any], columns: Mapping[str, str]
) -> dict[str, tuple[Part, ...]]:
    """Name -> parts, by any one row. columns: name -> SQL."""
    kinds = [sa.literal_column(f"typeof({sql})", sa.Text()) for sql in columns.values()]
    row = connection.execute(
        statement.with_only_columns(*kinds, maintain_column_froms=True).order_by(None).limit(1)
    ).first()
    parts = {"integer": _INTEGERS, "real": _NUMBERS}
    return {
        name: parts.get(kind, _TEXTS)
        for name, kind in zip(columns, row or [None] * len(columns), strict=True)
    }


def _read(
    connection: Connection,
    statement: sa.Select[Any],
    columns: Mapping[str, str],
    parts: Mapping[str, tuple[Part, ...]],
) -> dict[str, pa.Array | None]:
    """Name -> values, the rows in any order; None for a column with values that its parts cannot say. columns: name -> SQL."""
    asked = (
        _asked(sql, part, parts[name]) for name, sql in columns.items() for part in parts[name]
    )
    joined = [
        sa.literal_column(f"CAST(group_concat({part}, '{_BETWEEN}') AS BLOB)", sa.LargeBinary())
        for part in asked
    ]
    rows, *texts = connection.execute(
        statement.with_only_columns(sa.func.count(), *joined, maintain_column_froms=True).order_by(
            None
        )
    ).one()
    if rows == 0:
        return {name: pa.nulls(0) for name in columns}
    found: dict[str, pa.Array | None] = {}
    for name, sql in columns.items():
        cut = {part: _cut(texts.pop(0) or b"", rows) for part in parts[name]}
        values = None if any(part is None for part in cut.values()) else _together(**cut)
        if (
            values is not None
            and pa.types.is_floating(values.type)
            and _has_negative_zero(connection, statement, sql, values)
        ):
            values = None
        if (
            name.startswith("_")
            and parts[name] != _TEXTS
            and values is not None
            and values.type != pa.int64()
        ):
            values = None
        found[name] = values
    return found


def _asked(x: str, part: Part, parts: tuple[Part, ...]) -> str:
    """SQL of one part of a column; a sign for a null, for a value that another part says, and for one that none says. x: SQL of the column."""
    null, other = f"'{_NULL}'", f"'{_OTHER}'"
    text, number = (null if each in parts else other for each in ("texts", "wholes"))
    if part == "texts":
        plain = f"{x} COLLATE BINARY BETWEEN '{_FIRST}' AND '{_LAST}'"
        return f"CASE WHEN {plain} THEN {x} WHEN {x} IS NULL THEN {null} WHEN {x} COLLATE BINARY = '' THEN '' WHEN {x} COLLATE BINARY < '' THEN {number} ELSE {other} END"
    if part == "wholes":
        whole = f"CAST({x} AS INTEGER)" if "fractions" in parts else other
        return f"CASE typeof({x}) WHEN 'integer' THEN {x} WHEN 'real' THEN {whole} WHEN 'null' THEN {null} WHEN 'text' THEN {text} ELSE {other} END"
    told = f"{x} BETWEEN {_LEAST} AND {_MOST} OR {x} BETWEEN -{_MOST} AND -{_LEAST} OR {x} = 0"
    fraction = f"CAST(({x} - CAST({x} AS INTEGER)) * {_SCALE} AS INTEGER)"
    return (
        f"CASE WHEN typeof({x}) <> 'real' THEN {null} WHEN {told} THEN {fraction} ELSE {other} END"
    )


def _has_negative_zero(
    connection: Connection, statement: sa.Select[Any], column: str, values: pa.Array
) -> bool:
    """Whether a real number is -0.0, which SQLite's own functions cannot tell from 0.0. column: its SQL. values: its values, with 0.0 for both."""
    if not pc.any(pc.equal(values, 0.0)).as_py():
        return False
    zero = sa.literal_column(f"typeof({column}) = 'real' AND {column} = 0", sa.Boolean())
    zeros = (
        statement.with_only_columns(
            sa.literal_column(column, sa.Float()), maintain_column_froms=True
        )
        .order_by(None)
        .where(zero)
    )
    return any(math.copysign(1, value) < 0 for (value,) in connection.execute(zeros))


def _cut(joined: bytes, rows: int) -> pa.Array | None:
    """A joined text as its values; None where they cannot be told apart, where one is another value, or no UTF-8."""
    octets = np.frombuffer(joined, np.uint8)
    ends = np.flatnonzero(octets == ord(_BETWEEN))
    if len(ends) != rows - 1 or _OTHER.encode() in joined:
        return None
    offsets = np.empty(rows + 1, np.int32)
    offsets[0], offsets[1:-1], offsets[-1] = 0, ends - np.arange(rows - 1), len(joined) - len(ends)
    valid = None
    if _NULL.encode() in joined:
        starts = offsets[:-1] + np.arange(rows)
        null = (np.diff(offsets) == 1) & (octets.take(starts, mode="clip") == ord(_NULL))
        offsets[1:] -= np.cumsum(null, dtype=np.int32)
        valid = pa.py_buffer(np.packbits(~null, bitorder="little"))
    values = joined.translate(None, (_BETWEEN + _NULL).encode())
    if offsets[-1] != len(values):
        return None
    array = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(values), valid)
    if not values.isascii():
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            return None
    return array


def _together(
    texts: pa.Array | None = None, wholes: pa.Array | None = None, fractions: pa.Array | None = None
) -> pa.Array:
    """Values of one type as they are, of several as exact texts, as `array_of_values` has them."""
    integers: Any = None
    reals: Any = None
    if wholes is not None:
        integers = wholes.cast(pa.int64())
    if integers is not None and fractions is not None:
        shares = pc.divide(fractions.cast(pa.int64()).cast(pa.float64(), safe=False), float(_SCALE))
        reals = pc.add(integers.cast(pa.float64(), safe=False), shares)
        integers = pc.if_else(reals.is_valid(), None, integers)
    asked: list[Any] = [values for values in (texts, integers, reals) if values is not None]
    there = [values for values in asked if values.null_count < len(values)]
    if len(there) < 2:
        return there[0] if there else pa.nulls(len(asked[0]), pa.string())
    return pc.coalesce(
        *(real_text(values) if values is reals else values.cast(pa.string()) for values in there)
    )


def _in_order(table: pa.Table) -> pa.Table | None:
    """Rows by their columns with names that begin with `_`, byte by byte as SQLite orders them; None where a null has no place."""
    names = [name for name in table.column_names if name.startswith("_")]
    if any(table[name].null_count for name in names):
        return None
    if is_in_order(table):
        return table
    return table.take(pc.sort_indices(table, [(name, "ascending") for name in names]))
