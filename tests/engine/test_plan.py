"""What a run is asked to do, and where it begins."""

from __future__ import annotations

import pytest

from connector.commands.status import status
from connector.commands.sync import sync
from connector.engine.plan import Options
from connector.errors import ConfigError, DestinationError
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.warehouses import TestWarehouse, ago, conversion


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.inbox.arrivals.values())


def test_where_a_first_run_starts_must_be_said(duck_destination: Make) -> None:
    with pytest.raises(DestinationError, match="start is missing"):
        duck_destination(source__start=None)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_a_number_of_rows(limit: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        Options(limit=limit)


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_rows_whose_key_is_personal_are_each_delivered_once_even_if_all_share_a_cursor_value(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver, limit: int | None
) -> None:
    """Their mark has no key, so a run begins with rows that are recorded:
    they count neither for the limit nor as waiting.
    """
    moment = ago(hours=2)
    warehouse.insert(*(conversion(number, updated_at=moment) for number in range(4)))
    made = destination(source__key="email")
    delivered = [sync(made, options=Options(limit=limit)).delivered for _ in range(5)]
    assert delivered == {None: [4, 0, 0, 0, 0], 1: [1, 1, 1, 1, 0], 3: [3, 1, 0, 0, 0]}[limit]
    assert (copies(receiver), status(made).backlog, status(made).lag_seconds) == ([1] * 4, 0, 0.0)
    warehouse.insert(conversion(9, updated_at=moment))
    report = sync(made)
    assert (report.delivered, report.changed) == (1, 0)
