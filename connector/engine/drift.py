"""Whether the warehouse is still the one that the mark was made with.

Its clock must not have gone back: rows would be dated behind the mark. Cursor and key must have the types that they had: the
mark would stand somewhere else among them.
"""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa

from connector.engine.context import RunContext
from connector.errors import StateMismatch, WarehouseError
from connector.source.reader import Survey
from connector.state.lease import Lease, fence
from connector.state.tables import destination as destinations
from connector.state.tables import mark

_SKEW = dt.timedelta(seconds=1)
"""Clocks of the replicas of one database differ by less."""


def refuse_discontinuity(context: RunContext, found: Survey) -> None:
    """Raise WarehouseError where the clock went back by more than the lag allows for, StateMismatch where a type changed."""
    if not context.destination_id:
        return
    last, types = _remembered(context)
    if last is not None and found.now + max(context.destination.model.source.lag, _SKEW) < last:
        raise WarehouseError(
            f"{context.name}: the warehouse's clock says {found.now:%Y-%m-%dT%H:%M:%SZ}, but an earlier run saw {last:%Y-%m-%dT%H:%M:%SZ}, so rows may be dated behind the"
            " high-water mark, and nothing was sent. Is this a replica that is far behind, or a restored copy? If the clock was wrong before and is right now, run"
            f" `capi resolve {context.name} --accept-change`"
        )
    changed = {
        name: kind
        for name, kind in context.warehouse.types().items()
        if types.get(name, kind) != kind
    }
    if changed:
        words = ", ".join(
            f"the column {name} was {types[name]} and is {kind}" for name, kind in changed.items()
        )
        raise StateMismatch(
            f"{context.name}: {words}, so the high-water mark may not mean what it did. If the order of rows is still the same, run"
            f" `capi resolve {context.name} --accept-change`; to begin anew, run `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )


def remember(context: RunContext, held: Lease, found: Survey) -> None:
    """Keep the clock and the types for the next run."""
    last, before = _remembered(context)
    clock, types = max(found.now, last or found.now), {**before, **context.warehouse.types()}
    with context.store.write() as connection:
        fence(connection, held)
        connection.execute(
            mark.update()
            .where(mark.c.destination_id == held.destination_id)
            .values(clock=clock.isoformat())
        )
        if types != before:
            chosen = destinations.c.id == held.destination_id
            source = json.loads(
                connection.execute(sa.select(destinations.c.source).where(chosen)).scalar_one()
            )
            connection.execute(
                destinations.update()
                .where(chosen)
                .values(source=json.dumps({**source, "types": types}))
            )


def _remembered(context: RunContext) -> tuple[dt.datetime | None, dict[str, str]]:
    """The latest clock that a run saw, and the types of cursor and key, column -> type."""
    with context.store.read() as connection:
        source = connection.execute(
            sa.select(destinations.c.source).where(destinations.c.id == context.destination_id)
        ).scalar_one()
        clock = connection.execute(
            sa.select(mark.c.clock).where(mark.c.destination_id == context.destination_id)
        ).scalar_one()
    return None if clock is None else dt.datetime.fromisoformat(clock), json.loads(source).get(
        "types", {}
    )
