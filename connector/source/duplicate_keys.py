"""Keys that more than one row of the query has."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.arrow.text import exact_text
from connector.source.introspect import Description
from connector.source.watermark import has_key


def duplicate_keys(
    connection: Connection,
    query: Description,
    most: int,
    among: Sequence[tuple[str, ...]] | None = None,
) -> list[tuple[str, ...]]:
    """A few keys that more than one row has.

    Args:
        connection: in a transaction.
        query: where to look.
        most: keys to return at most.
        among: look for these keys alone; default: for all.
    """
    _, keys, types = query.order()
    there = (
        sa.and_(*(key.is_not(None) for key in keys))
        if among is None
        else has_key(among, keys, types[1:])
    )
    statement = (
        sa.select(*query.ordering()[1:])
        .select_from(query.table)
        .where(there)
        .group_by(*keys)
        .having(sa.func.count() > 1)
        .limit(most)
    )
    rows = connection.execute(statement)
    return [tuple(exact_text(part) or "" for part in row) for row in rows]
