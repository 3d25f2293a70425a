"""What became of the warehouse's rows, in one table."""

from __future__ import annotations

from typing import Any

import pytest

from connector.commands.report import report
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError
from tests.conftest import Make
from tests.support.fates import EARLY, LATE
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, TestWarehouse, ago, conversion


def filled(line: dict[str, Any]) -> dict[str, Any]:
    """The counts of a line that are not 0."""
    return {name: value for name, value in line.items() if value not in (0, None)}


def test_each_day_adds_up_to_the_warehouses_own_count(every_state: Destination) -> None:
    first, second, third = report(every_state)
    assert filled(first.to_json()) == {
        "day": EARLY.date().isoformat(),
        "warehouse": 5,
        "delivered": 2,
        "rejected": 1,
        "expired": 1,
        "difference": 1,
        "missing": 1,
    }
    assert filled(second.to_json()) == {
        "day": LATE.date().isoformat(),
        "warehouse": 3,
        "delivered": 1,
        "suppressed": 1,
        "difference": 1,
        "erased": 1,
    }
    assert (third.warehouse, third.waiting, third.difference) == (1, 1, 1)
    assert [line.group for line in report(every_state, since=ago(days=3))] == [
        second.group,
        third.group,
    ]
    [last] = report(every_state, since=ago(hours=1))
    assert (last.group, last.waiting, last.missing) == (third.group, 1, 0)


def test_reasons_and_event_names(every_state: Destination) -> None:
    by_reason = {line.group: filled(line.to_json()) for line in report(every_state, by="reason")}
    assert {group: line["warehouse"] for group, line in by_reason.items()} == {
        "no_identity": 1,
        "expired": 1,
        "suppressed": 1,
        None: 6,
    }
    assert by_reason["no_identity"]["rejected"] == 1
    by_name = {line.group: filled(line.to_json()) for line in report(every_state, by="event_name")}
    assert by_name["Lead"] == {
        "event_name": "Lead",
        "warehouse": 2,
        "delivered": 1,
        "suppressed": 1,
    }
    assert by_name["Purchase"]["warehouse"] == 7


def test_every_database_and_before_the_first_run(
    destination: Make, warehouse: TestWarehouse
) -> None:
    day = ago(days=3).replace(hour=1)
    warehouse.insert(
        *(conversion(number, updated_at=day) for number in range(3)),
        conversion(3, updated_at=day, email=None),
    )
    made = destination()
    [line] = report(made)
    assert filled(line.to_json()) == {
        "day": day.date().isoformat(),
        "warehouse": 4,
        "waiting": 4,
        "difference": 4,
    }
    sync(made)
    [line] = report(made, since=ago(days=30))
    assert filled(line.to_json()) == {
        "day": day.date().isoformat(),
        "warehouse": 4,
        "delivered": 3,
        "rejected": 1,
    }
    [named] = report(made, by="event_name")
    assert (named.group, named.delivered) == ("Purchase", 3)


def test_rows_from_before_the_start_are_not_owed(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1, updated_at=ago(days=9)), conversion(2, updated_at=ago(days=2)))
    made = duck_destination(source__start=ago(days=5).isoformat())
    assert [line.warehouse for line in report(made)] == [1]
    sync(made)
    assert [(line.warehouse, line.delivered) for line in report(made, since=ago(days=30))] == [
        (1, 1)
    ]


def test_days_need_a_cursor_that_is_a_time(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    project.query("select *, cast(substr(conversion_id, 2) as bigint) as number from conversions")
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination(source__cursor="number", source__lag="0s")
    for arguments in ({}, {"since": ago(days=1), "by": "reason"}):
        with pytest.raises(ConfigError, match="needs a cursor that is a time"):
            report(made, **arguments)  # type: ignore[arg-type]
    sync(made)
    lines = report(made, by="reason")
    assert [(line.group, line.delivered, line.rejected) for line in lines] == [
        ("no_identity", 0, 1),
        (None, 1, 0),
    ]
