"""Rows that were read together, as Arrow columns, and their places in the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from connector.arrow.composite_key import joined
from connector.arrow.text import text_array
from connector.model import Mark


@dataclass(frozen=True)
class Rows:
    """Rows that were read together, in (cursor, key) order.

    Attributes:
        table: canonical and `extra.` columns, shape (n, columns).
        cursors: exact text, shape (n,).
        keys: texts of each key column, each of shape (n,).
    """

    table: pa.Table
    cursors: pa.Array
    keys: tuple[pa.Array, ...]

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        """A result whose columns `_cursor`, `_key0`, `_key1`, ... are cursor and key."""
        names = [name for name in table.column_names if name.startswith("_key")]
        keys = tuple(text_array(table[f"_key{index}"]) for index in range(len(names)))
        canonical = [name for name in table.column_names if not name.startswith("_")]
        return cls(table.select(canonical), text_array(table["_cursor"]), keys)

    def __len__(self) -> int:
        return len(self.cursors)

    def joined_keys(self) -> pa.Array:
        """One text a row, shape (n,)."""
        return joined(self.keys)

    def mark(self, row: int) -> Mark:
        """The place of a row."""
        return Mark(self.cursors[row].as_py(), tuple(key[row].as_py() for key in self.keys))

    def take(self, rows: Sequence[int]) -> Rows:
        """These rows, in this order."""
        places = pa.array(rows, pa.int64())
        return Rows(
            self.table.take(places),
            self.cursors.take(places),
            tuple(key.take(places) for key in self.keys),
        )

    def slice(self, start: int, stop: int) -> Rows:
        """Rows start to stop, without copying."""
        return Rows(
            self.table.slice(start, stop - start),
            self.cursors[start:stop],
            tuple(key[start:stop] for key in self.keys),
        )
