"""Rows that come back: changed, or only touched."""

from __future__ import annotations

from typing import Any

import pytest

from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.warehouses import TestWarehouse, ago, conversion


def latest(receiver: Receiver) -> dict[str, Any]:
    """The event that arrived last."""
    return receiver.inbox.latest[0]["event"]


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.inbox.arrivals.values())


@pytest.mark.parametrize(("on_change", "events"), [("same_event_id", 2), ("new_version", 3)])
def test_rows_whose_values_changed_are_sent_again_where_the_yaml_says_so(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, on_change: str, events: int
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    made = destination(send="on_change", on_change=on_change)
    sync(made)
    touched, changed = (warehouse.adapt(ago(minutes=minutes)) for minutes in (40, 30))
    mark = warehouse.mark
    warehouse.execute(
        f"update conversions set updated_at = {mark} where conversion_id = 'c000001'", touched
    )
    warehouse.execute(
        f"update conversions set updated_at = {mark}, value = 77 where conversion_id = 'c000002'",
        changed,
    )
    report = sync(made)
    assert (report.delivered, report.changed) == (1, 1)
    assert (
        receiver.inbox.summary()["accepted"],
        receiver.inbox.summary()["events"],
        latest(receiver)["value"],
    ) == (3, events, 77)
    assert sync(made).rows_read == 0


def test_rows_that_changed_are_counted_and_not_sent_by_default(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    made = destination()
    sync(made)
    warehouse.execute(
        f"update conversions set value = 77, updated_at = {warehouse.mark}",
        warehouse.adapt(ago(minutes=30)),
    )
    report = sync(made)
    assert (report.rows_read, report.changed) == (0, 2)
    assert copies(receiver) == [1, 1]
