"""Which alerts were told on which channel, so that each is told once, whoever looks."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.tables import alert, destination

_CLAIM = 60_000_000
"""Microseconds for which a process that was about to tell an alert is waited for."""


class DueAlert(NamedTuple):
    """An alert that this process is to tell now.

    Attributes:
        kind: What it is about.
        over: Whether it is over.
    """

    kind: str
    over: bool


def claim(
    connection: Connection, destination_id: int, channel: str, active: Collection[str]
) -> list[DueAlert]:
    """Compare what is wrong with what was told, and take what is to be told.

    Args:
        connection: A transaction that writes.
        destination_id: The destination.
        channel: Where alerts are told.
        active: Kinds of what is wrong now.

    Returns:
        What changed since; another process does not get it too.
    """
    # Processes that look at the same moment go one after the other.
    connection.execute(
        sa.select(destination.c.id).where(destination.c.id == destination_id).with_for_update()
    )
    now = clock.now_us()
    here = sa.and_(alert.c.destination_id == destination_id, alert.c.channel == channel)
    known = {
        row["kind"]: row for row in connection.execute(sa.select(alert).where(here)).mappings()
    }
    due = []
    for kind in sorted({*known, *active}):
        row, begins = known.get(kind), kind in active
        chosen = sa.and_(here, alert.c.kind == kind)
        if row is None:
            values = {"destination_id": destination_id, "channel": channel, "kind": kind}
            connection.execute(
                alert.insert().values(**values, active=True, told=False, claimed_at=now)
            )
        elif not begins and row["active"] and not row["told"]:
            connection.execute(alert.delete().where(chosen))  # nobody knows of it
            continue
        elif row["active"] != begins or (not row["told"] and now - row["claimed_at"] > _CLAIM):
            connection.execute(
                alert.update().where(chosen).values(active=begins, told=False, claimed_at=now)
            )
        else:
            continue
        due.append(DueAlert(kind, not begins))
    return due


def told(connection: Connection, destination_id: int, channel: str, due: DueAlert) -> None:
    """Record that an alert was told."""
    chosen = _one(destination_id, channel, due.kind)
    if due.over:
        connection.execute(alert.delete().where(chosen))
    else:
        connection.execute(alert.update().where(chosen).values(told=True))


def untold(connection: Connection, destination_id: int, channel: str, due: DueAlert) -> None:
    """Record that an alert could not be told; whoever looks next tries again."""
    chosen = _one(destination_id, channel, due.kind)
    connection.execute(alert.update().where(chosen).values(claimed_at=0))


def _one(destination_id: int, channel: str, kind: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        alert.c.destination_id == destination_id,
        alert.c.channel == channel,
        alert.c.kind == kind,
    )
