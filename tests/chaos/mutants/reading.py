"""Wrong ways to read the source and to name its rows."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connector.mapping import serializer
from connector.model import Range
from connector.source import safety_lag, slicing, survey


def greater_than_on_ties() -> None:
    """`cursor > mark`, without the key: the rest of a tie is skipped."""
    where = slicing.where

    def wrong(
        rows: Range, cursor: ColumnElement[Any], keys: Any, types: Any
    ) -> ColumnElement[bool]:
        rest = where(replace(rows, after=None), cursor, keys, types)
        if rows.after is None:
            return rest
        return sa.and_(rest, cursor > types[0].bind(rows.after.cursor))

    slicing.where = survey.where = wrong


def no_lag() -> None:
    """Everything up to now is read,
    though transactions that began earlier have not committed yet.
    """
    bound = safety_lag.upper_bound

    def wrong(connection: Any, cursor: Any, now: Any, _lag: Any) -> str | None:
        return bound(connection, cursor, now, dt.timedelta())

    safety_lag.upper_bound = wrong


def random_event_id() -> None:
    """A new id for each attempt."""
    made = serializer.event_ids

    def wrong(*arguments: Any) -> pa.Array:
        return pa.array([uuid.uuid4().hex for _ in made(*arguments)], pa.string())

    serializer.event_ids = wrong
