"""Typed conversions, and what could not be used of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

from connector.arrow.masks import Mask
from connector.model import Rejection


@dataclass(frozen=True)
class Rules:
    """What a destination says about its source, and what its platform defaults to.

    Attributes:
        time_zone: Zone of naive times.
        time_unit: Unit of integer times.
        minor: `value` is in minor units.
        default_currency: For rows with a value and no currency.
        default_time: `event_time` of rows without one; None rejects them instead.
    """

    time_zone: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    minor: bool = False
    default_currency: str | None = None
    default_time: dt.datetime | None = None


@dataclass
class Conversions:
    """Typed conversions of one read.

    Attributes:
        table: One Arrow column per canonical column that the source has; `value` is decimal text in
            major units.
        bad: Column -> rows that hold a value which could not be used.
        rejected: Row -> why it cannot be sent at all.
        digits: Decimal digits of each row's currency, shape (n,).
        defaulted: How many rows got their event_time from the clock.
        without_time: Rows whose source has no usable event_time, shape (rows,).
    """

    table: pa.Table
    bad: dict[str, Mask] = field(default_factory=dict)
    rejected: dict[int, Rejection] = field(default_factory=dict)
    digits: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))
    defaulted: int = 0
    without_time: Mask = field(default_factory=lambda: np.zeros(0, bool))

    def mark_bad(self, column: str, rows: Mask) -> None:
        """Record that these rows hold something unusable in `column`."""
        if rows.any():
            self.bad[column] = self.bad[column] | rows if column in self.bad else rows

    def reject(self, rows: Mask, reason: str, column: str | None) -> None:
        """Reject rows; the first reason given to a row stays."""
        for row in np.flatnonzero(rows).tolist():
            self.rejected.setdefault(row, Rejection(reason, column))

    def replace(self, column: str, values: pa.Array) -> None:
        """Put other values into a column."""
        place = self.table.column_names.index(column)
        self.table = self.table.set_column(place, column, values)

    @property
    def column_names(self) -> frozenset[str]:
        """The canonical columns that the source has."""
        return frozenset(self.table.column_names)

    def column(self, name: str) -> pa.Array | None:
        """A column as one array, if the source has it."""
        return self.table[name].combine_chunks() if name in self.table.column_names else None
