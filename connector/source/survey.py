"""What waits behind a watermark, by the database's own clock. The safety lag is decided here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array
from connector.config.models import Source
from connector.model import Mark, Range
from connector.source.dialects.base import Dialect
from connector.source.introspect import Description
from connector.source.watermark import Cursor, earlier, where
from connector.syntax.spelling import rows_that


@dataclass(frozen=True)
class Survey:
    """What waits behind a watermark.

    Attributes:
        now: the database's clock.
        before: cursor text that bounds this run; None where the cursor is no time.
        waiting: rows between watermark and bound.
        oldest: cursor text of the first of them.
        null_cursors, null_keys: rows that can never be read in order.
        future: rows dated after now.
    """

    now: dt.datetime
    before: str | None
    waiting: int
    oldest: str | None
    null_cursors: int
    null_keys: int
    future: int

    def overlooked(self, source: Source) -> dict[str, str]:
        """Why nothing may be sent: rows that would never be read, or be mistaken for others.

        Returns:
            Key of `source` to look at -> a sentence.
        """
        found = {}
        if self.null_keys:
            columns = " or ".join(source.keys)
            found["key"] = (
                f"{rows_that(self.null_keys, 'has', 'have')} no {columns}; a row without a key"
                " cannot be told from others, so nothing is sent. Leave them out in the query or"
                " give them a key"
            )
        if self.null_cursors and source.null_cursor == "fail":
            found["cursor"] = (
                f"{rows_that(self.null_cursors, 'has', 'have')} no {source.cursor} and would never"
                f" be read, so nothing is sent. Use coalesce({source.cursor}, created_at) in the"
                " query, or accept that with source.null_cursor: count"
            )
        return found


def read_clock(connection: Connection, dialect: Dialect) -> dt.datetime:
    """The database's own clock, in this transaction, in UTC."""
    return dialect.clock(connection)


def upper_bound(
    connection: Connection, cursor: Cursor, now: dt.datetime, lag: dt.timedelta
) -> str | None:
    """Cursor text that rows of this run stay below: `now - lag`, or the oldest open transaction.

    Args:
        connection: to the database.
        cursor: the cursor column.
        now: the database's clock.
        lag: how long a row waits, so that transactions which began before it can commit.

    Returns:
        None where the cursor is neither a time nor a transaction number: nothing bounds it.
    """
    if cursor.type.kind == "xid8":
        oldest = sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return str(connection.execute(oldest).scalar())
    return cursor.text_of(earlier(now, lag)) if cursor.is_time else None


def survey(
    connection: Connection,
    dialect: Dialect,
    query: Description,
    lag: dt.timedelta,
    after: Mark | None,
) -> Survey:
    """Clock, bound and counts, all in one transaction.

    Args:
        connection: in a transaction.
        dialect: of its database.
        query: what to count in.
        lag: `source.lag`.
        after: the watermark; None counts from the first row.
    """
    now = read_clock(connection, dialect)
    cursor = query.cursor
    if cursor is None:
        rows = connection.execute(sa.select(sa.func.count()).select_from(query.table)).scalar()
        return Survey(now, None, 0, None, int(rows or 0), 0, 0)
    before = upper_bound(connection, cursor, now, lag)
    column, keys, types = query.order()
    waiting = where(Range(after, None, before), column, keys, types)
    unreadable: sa.ColumnElement[bool] = column.is_(None)
    if types[0].least is not None:
        unreadable = sa.or_(unreadable, column < types[0].bind(types[0].least))
    future = column > types[0].bind(cursor.text_of(now)) if cursor.is_time else sa.false()
    conditions = [waiting, unreadable, sa.or_(*(key.is_(None) for key in keys)), future]
    counts = [sa.func.sum(sa.case((condition, 1), else_=0)) for condition in conditions]
    oldest = sa.func.min(sa.case((waiting, column))) if cursor.is_time else sa.null()
    found = connection.execute(sa.select(*counts, oldest).select_from(query.table)).one()
    rows, null_cursors, null_keys, ahead = (int(number or 0) for number in found[:4])
    return Survey(now, before, rows, exact_text(found[4]), null_cursors, null_keys, ahead)


def latest_cursor(connection: Connection, query: Description) -> str | None:
    """The greatest cursor value, as text; None where there is no row."""
    column = query.order()[0]
    statement = (
        sa.select(query.ordering()[0])
        .select_from(query.table)
        .where(column.is_not(None))
        .order_by(column.desc())
        .limit(1)
    )
    return exact_text(connection.execute(statement).scalar())


def exact_text(value: Any) -> str | None:
    """One cursor value, as the driver gives it, as exact text."""
    return None if value is None else text_array(array_of_values([value]))[0].as_py()
