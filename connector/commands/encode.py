"""The records that the rows of a pandas frame become, for people who send them in their own way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from connector.arrow.convert import to_table
from connector.commands.given_rows import given_table
from connector.config.loader import Target, destination_of
from connector.mapping.serializer import Serializer
from connector.state.clock import utc_now

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EncodedRow:
    """A row that would be sent.

    Attributes:
        row: Its place in the frame, counted from 0.
        record: Its JSON, as the platform takes it.
    """

    row: int
    record: bytes

    def to_json(self) -> Any:
        """The record as Python values."""
        return orjson.loads(self.record)


@dataclass(frozen=True)
class RefusedRow:
    """A row that would not be sent.

    Attributes:
        row: Its place in the frame, counted from 0.
        reason: The reason code; also `expired` and `suppressed`.
        field: The column to look at, if one is to blame.
    """

    row: int
    reason: str
    field: str | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class EncodedFrame:
    """What became of the rows of a frame. Iterates over the records as Python values.

    Attributes:
        encoded: Rows that would be sent, in the order of the frame.
        refused: All others.
    """

    encoded: tuple[EncodedRow, ...]
    refused: tuple[RefusedRow, ...]

    def __iter__(self) -> Iterator[Any]:
        return (each.to_json() for each in self.encoded)

    def __len__(self) -> int:
        return len(self.encoded)

    def to_json(self) -> dict[str, Any]:
        """Records and refusals as plain values; each record with its row."""
        encoded = [{"row": each.row, "record": each.to_json()} for each in self.encoded]
        return {"encoded": encoded, "refused": [each.to_json() for each in self.refused]}


def encode(
    frame: pd.DataFrame, target: Target, *, as_of: dt.datetime | None = None
) -> EncodedFrame:
    """The records that the rows of a frame become: transformed, normalised, hashed, checked.

    Args:
        frame: Canonical columns, or the query's own names where the destination renames them; any
            dtypes. Rows without the key columns get a key made of their own content.
        target: The destination, or the path of its YAML file.
        as_of: The moment to take for now.

    Raises:
        ConfigError: A column is neither, has a type that cannot be exact, or the transform failed.
    """
    destination = destination_of(target)
    table, keys = given_table(destination, to_table(frame))
    found = Serializer(destination).encode(table, keys, as_of or utc_now())
    rows = zip(found.positions.tolist(), found.records, strict=True)
    return EncodedFrame(
        tuple(EncodedRow(row, record) for row, record in rows),
        tuple(RefusedRow(row, why.reason, why.field) for row, why in sorted(found.refused.items())),
    )
