"""Finds the places that cut a range of rows into slices or pages of a given size."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from connector.model import Mark, Range
from connector.source.introspect import Description
from connector.source.rows import Rows
from connector.source.warehouse import Warehouse
from connector.source.watermark import where


def ends_of_slices(
    warehouse: Warehouse, query: Description, rows: Range, size: int, most: int | None = None
) -> list[Mark]:
    """Places that cut a range into slices of `size` rows; the last slice ends with the range.

    One statement numbers the rows by cursor and key, so the time is that of one sort. The range's
    last row is no place to cut it: the slice behind would be empty.

    Args:
        warehouse: where to look.
        query: what to cut.
        rows: the range.
        size: rows of a slice.
        most: places to return at most.
    """
    column, keys, types = query.order()
    order: list[Any] = [column, *keys]
    number = sa.func.row_number().over(order_by=order).label("row_number_")
    following = sa.func.lead(column).over(order_by=order).label("following_")
    inner = (
        sa.select(*query.ordering(), number, following)
        .select_from(query.table)
        .where(where(rows, column, keys, types))
        .subquery("n")
    )
    statement = (
        sa.select(*(inner.c[element.name] for element in query.ordering()))
        .where(inner.c.row_number_ % size == 0, inner.c.following_.is_not(None))
        .order_by(inner.c.row_number_)
        .limit(most)
    )
    with warehouse.transaction() as connection:
        found = warehouse.dialect.in_little_memory(
            connection, lambda: Rows.of(warehouse.fetch(connection, statement, {}))
        )
    return [found.mark(row) for row in range(len(found))]


def end_of_first(warehouse: Warehouse, query: Description, rows: Range, size: int) -> Mark | None:
    """The place of the last of a range's first `size` rows; None where there are fewer."""
    statement = ordered(query, rows, query.ordering()).limit(1).offset(size - 1)
    with warehouse.transaction() as connection:
        found = Rows.of(warehouse.fetch(connection, statement, {}))
    return found.mark(0) if len(found) else None


def ordered(
    query: Description, rows: Range, columns: list[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    """These columns of a range's rows, in (cursor, key) order."""
    column, keys, types = query.order()
    return (
        sa.select(*columns)
        .select_from(query.table)
        .where(where(rows, column, keys, types))
        .order_by(column, *keys)
    )
