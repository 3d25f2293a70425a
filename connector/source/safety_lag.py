"""The safety lag: how close to now a run reads, so that open transactions can commit first."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.source.watermark import Cursor, earlier


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
