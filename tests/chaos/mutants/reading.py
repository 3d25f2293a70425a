"""Wrong ways to read the source and to name its rows."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.mapping.serializer import Encoder
from connector.model import Range
from connector.source.reader import Warehouse


def greater_than_on_ties() -> None:
    """`cursor > mark`, without the key: the rest of a tie is skipped."""
    where = Range.where

    def wrong(
        self: Range, cursor: ColumnElement[Any], keys: Any, types: Any
    ) -> ColumnElement[bool]:
        rest = where(replace(self, after=None), cursor, keys, types)
        return (
            rest if self.after is None else sa.and_(rest, cursor > types[0].bind(self.after.cursor))
        )

    Range.where = wrong  # type: ignore[method-assign]


def no_lag() -> None:
    """Everything up to now is read, though transactions that began earlier have not committed yet."""
    bound = Warehouse._bound

    def wrong(self: Warehouse, connection: Any, cursor: Any, now: Any) -> str | None:
        return bound(self, connection, cursor, now + self._source.lag)

    Warehouse._bound = wrong  # type: ignore[method-assign]


def random_event_id() -> None:
    """A new id for each attempt."""
    made = Encoder._event_ids

    def wrong(self: Encoder, *arguments: Any) -> pa.Array:
        return pa.array([uuid.uuid4().hex for _ in made(self, *arguments)], pa.string())

    Encoder._event_ids = wrong  # type: ignore[method-assign]
