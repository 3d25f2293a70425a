"""Receipts of requests whose final result the platform tells later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.state import clock
from connector.state.tables import receipt


class Receipt(NamedTuple):
    """One request that was accepted, and whose result the platform tells later.

    Attributes:
        receipt: The platform's id of the request.
        run_id: The run that sent it.
        at: When it was accepted, in unix microseconds.
    """

    receipt: str
    run_id: str
    at: int


def keep(connection: Connection, destination_id: int, run_id: str, found: Sequence[str]) -> None:
    """Remember receipts; one that is there already stays as it was."""
    known = (
        set(
            connection.execute(
                sa.select(receipt.c.receipt).where(
                    receipt.c.destination_id == destination_id, receipt.c.receipt.in_(found)
                )
            ).scalars()
        )
        if found
        else set()
    )
    new = [
        {"destination_id": destination_id, "receipt": each, "run_id": run_id, "at": clock.now_us()}
        for each in dict.fromkeys(found)
        if each not in known
    ]
    if new:
        connection.execute(receipt.insert(), new)


def oldest(connection: Connection, destination_id: int, number: int) -> list[Receipt]:
    """The receipts that wait longest."""
    chosen = sa.select(receipt.c.receipt, receipt.c.run_id, receipt.c.at).where(
        receipt.c.destination_id == destination_id
    )
    return [
        Receipt(*row) for row in connection.execute(chosen.order_by(receipt.c.at).limit(number))
    ]


def clear(connection: Connection, destination_id: int) -> None:
    """Forget all receipts."""
    connection.execute(receipt.delete().where(receipt.c.destination_id == destination_id))


def drop(connection: Connection, destination_id: int, found: str) -> None:
    """Forget one that was settled."""
    connection.execute(
        receipt.delete().where(
            receipt.c.destination_id == destination_id, receipt.c.receipt == found
        )
    )
