"""What waits behind a watermark, by the database's own clock.

One statement counts what lies at or beyond the watermark, and what has no place in the order at
all: NULL cursors, and cursors before the year 1. An index on the cursor answers it, so that its
cost does not depend on how much lies behind the watermark. Only a survey of everything looks there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from connector.arrow.convert import array_of_values
from connector.arrow.text import text_array
from connector.config.models import Source
from connector.model import Mark, Range
from connector.source import safety_lag
from connector.source.dialects.base import Dialect
from connector.source.introspect import Description
from connector.source.watermark import Cursor, where
from connector.syntax.spelling import rows_that


@dataclass(frozen=True)
class Survey:
    """What waits behind a watermark.

    Attributes:
        now: the database's clock.
        before: cursor text that bounds this run; None where the cursor is no time.
        everything: whether rows behind the watermark were looked at too.
        rows: rows of the query; None where rows behind the watermark were not looked at.
        waiting: rows between watermark and bound.
        at_watermark: those of them with the watermark's own cursor value.
        oldest: cursor text of the first row that waits; None where the cursor is no time.
        oldest_beyond: the same, of rows beyond the watermark's own cursor value.
        reached: whether a row lies at or beyond the watermark's cursor value.
        null_cursors, early_cursors: rows that are never read, because their cursor is NULL, or
            -infinity or another moment before the year 1.
        null_keys: rows without a key.
        future: rows dated after now.
        irregular: key of `source` -> a sentence on values that have no order.
    """

    now: dt.datetime
    before: str | None
    everything: bool
    rows: int | None = None
    waiting: int = 0
    at_watermark: int = 0
    oldest: str | None = None
    oldest_beyond: str | None = None
    reached: bool = True
    null_cursors: int = 0
    early_cursors: int = 0
    null_keys: int = 0
    future: int = 0
    irregular: dict[str, str] = field(default_factory=dict)

    def beyond_watermark(self) -> Survey:
        """The survey without rows of the watermark's own cursor value."""
        rows = self.waiting - self.at_watermark
        return replace(self, waiting=rows, at_watermark=0, oldest=self.oldest_beyond)

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
        if source.null_cursor == "fail" and (self.null_cursors or self.early_cursors):
            found["cursor"] = ". ".join(self._never_read(source.cursor))
        return found | self.irregular

    def _never_read(self, cursor: str) -> list[str]:
        accept = "or accept that with source.null_cursor: count"
        sentences = []
        if self.null_cursors:
            sentences.append(
                f"{rows_that(self.null_cursors, 'has', 'have')} no {cursor} and would never be"
                f" read, so nothing is sent. Use coalesce({cursor}, created_at) in the query,"
                f" {accept}"
            )
        if self.early_cursors:
            sentences.append(
                f"{rows_that(self.early_cursors, 'has', 'have')} -infinity or a time before the"
                f" year 1 as {cursor} and would never be read, so nothing is sent. Put a real time"
                f" there in the query, {accept}"
            )
        return sentences


def read_clock(connection: Connection, dialect: Dialect) -> dt.datetime:
    """The database's own clock, in this transaction, in UTC."""
    return dialect.clock(connection)


def survey(
    connection: Connection,
    query: Description,
    lag: dt.timedelta,
    after: Mark | None,
    *,
    everything: bool,
) -> Survey:
    """Clock, bound and counts, all in one transaction.

    Args:
        connection: in a transaction.
        query: what to count in.
        lag: `source.lag`.
        after: the watermark; None counts from the first row.
        everything: look behind the watermark too, for rows without a key and irregular values.
    """
    now = read_clock(connection, query.dialect)
    cursor = query.cursor
    if cursor is None:
        rows = connection.execute(sa.select(sa.func.count()).select_from(query.table)).scalar()
        count = int(rows or 0)
        return Survey(now, None, everything=True, rows=count, null_cursors=count)
    before = safety_lag.upper_bound(connection, cursor, now, lag)
    counted = _predicates(query, cursor, after, before, now)
    irregular = {
        f"irregular {name}": predicate for name, predicate in query.irregular_values().items()
    }
    columns = [
        sa.func.sum(sa.case((predicate, 1), else_=0)).label(name)
        for name, predicate in {**counted, **irregular}.items()
    ]
    column = query.order()[0]
    if cursor.is_time:
        columns += [
            sa.func.min(sa.case((counted[name], column))).label(f"oldest {name}")
            for name in ("waiting", "beyond")
        ]
    whole = everything or after is None
    if whole:
        columns.append(sa.func.count().label("rows"))
    statement = sa.select(*columns).select_from(query.table)
    if not whole:
        statement = statement.where(
            sa.or_(counted["at or beyond"], counted["null cursor"], counted["early cursor"])
        )
    found = connection.execute(statement).one()._mapping
    numbers = {name: int(found[name] or 0) for name in (*counted, *irregular)}
    return Survey(
        now,
        before,
        everything=whole,
        rows=int(found["rows"]) if whole else None,
        waiting=numbers["waiting"],
        at_watermark=numbers["waiting"] - numbers["beyond"],
        oldest=exact_text(found["oldest waiting"]) if cursor.is_time else None,
        oldest_beyond=exact_text(found["oldest beyond"]) if cursor.is_time else None,
        reached=after is None or numbers["at or beyond"] > 0,
        null_cursors=numbers["null cursor"],
        early_cursors=numbers["early cursor"],
        null_keys=numbers["null key"],
        future=numbers["future"],
        irregular=query.irregularities(
            {name: numbers[f"irregular {name}"] for name in query.irregular_values()}
        ),
    )


def _predicates(
    query: Description, cursor: Cursor, after: Mark | None, before: str | None, now: dt.datetime
) -> dict[str, ColumnElement[bool]]:
    """What a survey counts."""
    column, keys, types = query.order()
    least = types[0].least
    place = None if after is None else types[0].bind(after.cursor)
    waiting = where(Range(after, None, before), column, keys, types)
    return {
        "waiting": waiting,
        "beyond": waiting if place is None else sa.and_(waiting, column > place),
        "at or beyond": sa.true() if place is None else column >= place,
        "null cursor": column.is_(None),
        "early cursor": sa.false() if least is None else column < types[0].bind(least),
        "null key": sa.or_(*(key.is_(None) for key in keys)),
        "future": column > types[0].bind(cursor.text_of(now)) if cursor.is_time else sa.false(),
    }


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
