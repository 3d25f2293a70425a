"""Wrong ways to read the source and to name its rows."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.mapping.serializer import Serializer
from connector.model import Range
from connector.source import reader
from connector.source.reader import SourceReader


def greater_than_on_ties() -> None:
    """`cursor > mark`, without the key: the rest of a tie is skipped."""
    where = reader.where

    def wrong(
        rows: Range, cursor: ColumnElement[Any], keys: Any, types: Any
    ) -> ColumnElement[bool]:
        rest = where(replace(rows, after=None), cursor, keys, types)
        if rows.after is None:
            return rest
        return sa.and_(rest, cursor > types[0].bind(rows.after.cursor))

    reader.where = wrong


def no_lag() -> None:
    """Everything up to now is read, though transactions that began earlier have not committed yet."""
    bound = SourceReader._bound

    def wrong(self: SourceReader, connection: Any, cursor: Any, now: Any) -> str | None:
        return bound(self, connection, cursor, now + self._source.lag)

    SourceReader._bound = wrong  # type: ignore[method-assign]


def random_event_id() -> None:
    """A new id for each attempt."""
    made = Serializer._event_ids

    def wrong(self: Serializer, *arguments: Any) -> pa.Array:
        return pa.array([uuid.uuid4().hex for _ in made(self, *arguments)], pa.string())

    Serializer._event_ids = wrong  # type: ignore[method-assign]
