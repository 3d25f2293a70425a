"""How many requests in flight a destination's platform took when a run ended."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state.tables import concurrency


class Kept(NamedTuple):
    """What the next run begins with.

    Attributes:
        in_flight: Requests.
        ceiling: The most that was not throttled; None where nothing was throttled.
        throttled_at: Unix microseconds of the last throttling; None where there was none.
    """

    in_flight: int
    ceiling: int | None
    throttled_at: int | None


def read(connection: Connection, destination_id: int) -> Kept | None:
    """What was kept, or None before the first run that sent something."""
    row = connection.execute(
        sa.select(concurrency.c.in_flight, concurrency.c.ceiling, concurrency.c.throttled_at).where(
            concurrency.c.destination_id == destination_id
        )
    ).one_or_none()
    return None if row is None else Kept(*row)


def keep(connection: Connection, destination_id: int, kept: Kept) -> None:
    """Remember it in place of what was there."""
    connection.execute(concurrency.delete().where(concurrency.c.destination_id == destination_id))
    connection.execute(concurrency.insert().values(destination_id=destination_id, **kept._asdict()))
