"""Whether the warehouse is still the one that the watermark was made with.

Its clock must not have gone back: rows would be dated behind the watermark. Cursor and key must
have the types that they had: the watermark would stand somewhere else among them.
"""

from __future__ import annotations

import datetime as dt

from connector.engine.context import RunContext
from connector.errors import StateMismatch, WarehouseError
from connector.source.survey import Survey
from connector.state import registry
from connector.state.clock import microseconds_of
from connector.state.lease import Lease, fence

_SKEW = dt.timedelta(seconds=1)
"""Clocks of the replicas of one database differ by less."""

_EVERY = dt.timedelta(days=1)
"""How often rows behind the watermark are looked at too."""


def refuse_clock_back(context: RunContext, found: Survey) -> None:
    """Raise WarehouseError where the clock went back by more than the lag allows for."""
    if not context.destination_id:
        return
    last, _ = _remembered(context)
    lag = max(context.destination.model.source.lag, _SKEW)
    if last is not None and found.now + lag < last:
        raise WarehouseError(
            f"{context.name}: the warehouse's clock says {found.now:%Y-%m-%dT%H:%M:%SZ}, but an"
            f" earlier run saw {last:%Y-%m-%dT%H:%M:%SZ}, so rows may be dated behind the"
            " high-water mark, and nothing was sent. Is this a replica that is far behind, or a"
            " restored copy? If the clock was wrong before and is right now, run"
            f" `capi resolve {context.name} --accept-change`"
        )


def refuse_changed_types(context: RunContext) -> None:
    """Raise StateMismatch where the type of the cursor or of a key column changed."""
    changed = changed_types(context)
    if changed:
        raise StateMismatch(
            f"{context.name}: {', '.join(changed)}, so the high-water mark may not mean what it"
            " did. If the order of rows is still the same, run"
            f" `capi resolve {context.name} --accept-change`; to begin anew, run"
            f" `capi resolve {context.name} --restart all|now|TIMESTAMP`"
        )


def changed_types(context: RunContext) -> list[str]:
    """What differs between the types that cursor and key had and have, in words."""
    if not context.destination_id:
        return []
    _, types = _remembered(context)
    return [
        f"the column {name} was {types[name]} and is {kind}"
        for name, kind in context.warehouse.types().items()
        if types.get(name, kind) != kind
    ]


def remember(context: RunContext, held: Lease, found: Survey) -> None:
    """Store what the next run compares its source with.

    That is the warehouse's clock, the types of cursor and key, and when all rows were looked at.

    Args:
        context: The destination.
        held: The lease of this run.
        found: What its survey found.
    """
    last, before = _remembered(context)
    types = {**before, **context.warehouse.types()}
    with context.store.write() as connection:
        fence(connection, held)
        registry.set_warehouse_clock(
            connection, held.destination_id, max(found.now, last or found.now)
        )
        if types != before:
            registry.set_types(connection, held.destination_id, types)
        if found.everything:
            registry.set_inspected_at(
                connection, held.destination_id, microseconds_of(context.clock())
            )


def is_inspection_due(context: RunContext) -> bool:
    """Whether rows behind the watermark were last looked at more than a day ago, or never."""
    if not context.destination_id:
        return True
    with context.store.read() as connection:
        last = registry.inspected_at(connection, context.destination_id)
    return last is None or not 0 <= microseconds_of(
        context.clock()
    ) - last < _EVERY // dt.timedelta(microseconds=1)


def _remembered(context: RunContext) -> tuple[dt.datetime | None, dict[str, str]]:
    """The latest clock that a run saw, and the types of cursor and key, column -> type."""
    with context.store.read() as connection:
        return (
            registry.warehouse_clock(connection, context.destination_id),
            registry.types(connection, context.destination_id),
        )
