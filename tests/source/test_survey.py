"""What a run is told of its source: rows that are never read,
units that cannot be meant, and a mark beyond all rows.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing

import pytest

from connector.commands.check import check
from connector.commands.status import status
from connector.commands.sync import sync
from connector.errors import ConfigError
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import TestWarehouse, ago, conversion

UTC = dt.UTC

SECONDS = {
    "duckdb": "epoch(updated_at)::bigint",
    "postgresql": "extract(epoch from updated_at)::bigint",
    "sqlite": "cast(strftime('%s', updated_at) as integer)",
}


@pytest.mark.parametrize(
    ("factor", "unit", "when", "right"),
    [("", "ms", "before 1980", "s"), (" * 1000", "s", "in the future", "ms")],
)
def test_a_wrong_time_unit_is_told_with_the_right_one(
    project: Project,
    destination: Make,
    warehouse: TestWarehouse,
    factor: str,
    unit: str,
    when: str,
    right: str,
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    seconds = SECONDS[warehouse.kind]
    project.query(f"select c.*, {seconds}{factor} as place from conversions c")
    made = destination(source__cursor="place", source__time_unit=unit)
    told = (
        f"source.time_unit is {unit}, and so every place is a time {when};.*set "
        f"source.time_unit: {right}"
    )
    with pytest.raises(ConfigError, match=told):
        sync(made)
    (problem,) = check(made).errors
    assert problem.where.endswith("source.time_unit")
    assert sync(destination(source__cursor="place", source__time_unit=right)).delivered == 2


def test_a_unit_that_is_right_is_right_also_for_odd_rows(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """One row of 1970, one of 2099, and at the end nothing but such."""
    warehouse.insert(conversion(1), conversion(2), conversion(3))
    odd = "case conversion_id when 'c000001' then 0 when 'c000002' then 4070908800"
    project.query(
        f"select c.*, {odd} else {SECONDS[warehouse.kind]} end as place from conversions c"
    )
    made = destination(source__cursor="place", source__time_unit="s")
    report = sync(made)
    assert (report.delivered, report.facts["future_rows"]) == (2, 1)
    warehouse.execute("delete from conversions where conversion_id <> 'c000002'")
    assert sync(made).complete


@pytest.mark.parametrize("start", ["all", "now"])
def test_a_table_that_is_rebuilt_below_the_mark_is_told(
    project: Project, destination: Make, warehouse: TestWarehouse, start: str
) -> None:
    """Its new rows count from 1 again, so none of them would ever be read."""
    number = "cast(replace(conversion_id, 'c', '') as bigint)"
    project.query(f"select c.*, {number} as place from conversions c")
    made = destination(source__cursor="place", source__start=start, source__lookback="0s")
    warehouse.insert(conversion(90))
    sync(made)
    assert not any("mark stands" in warning for warning in check(made).warnings)
    assert status(made).warning is None
    warehouse.insert(conversion(100))
    assert sync(made).delivered == 1
    assert not sync(made).watermark_ahead
    warehouse.execute("delete from conversions")
    assert not sync(made).watermark_ahead, "an empty table says nothing"
    warehouse.insert(conversion(1), conversion(2))
    report = sync(made)
    assert (report.delivered, report.facts["watermark_ahead"]) == (0, 1)
    assert report.to_json()["watermark_ahead"] is True
    told = "the high-water mark stands at 100, beyond the last row, whose place is 2; rows that"
    assert told in str(status(made).warning)
    assert any(told in warning for warning in check(made).warnings)
    assert "stands beyond the last row" in project.capi("sync", "acme").err


def test_what_lies_behind_the_mark_is_looked_at_once_a_day(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """A row without a key there can neither be read nor sent;
    what is new is looked at each time.
    """
    warehouse.insert(conversion(1), conversion(2))
    made = destination(source__lookback="0s")
    assert sync(made).delivered == 2
    warehouse.insert(conversion(3, conversion_id=None, updated_at=ago(days=3)))
    assert sync(made).complete
    assert check(made).errors[0].message.startswith("1 row has no conversion_id")
    a_day_later(project)
    with pytest.raises(ConfigError, match="1 row has no conversion_id"):
        sync(made)


def a_day_later(project: Project) -> None:
    """Put the last look at everything a day back."""
    with closing(sqlite3.connect(project.root / ".capi" / "state.db")) as state, state:
        state.execute(
            "update destination set source ="
            " json_set(source, '$.inspected_at', json_extract(source, '$.inspected_at') - "
            "86400000000)"
        )


def test_rows_that_can_never_be_read_are_found_by_the_next_run(
    destination: Make, warehouse: TestWarehouse
) -> None:
    """Neither behind nor beyond the mark: a NULL has no place in the order at all."""
    warehouse.insert(conversion(1))
    assert sync(destination()).delivered == 1
    warehouse.insert(conversion(2, updated_at=None), conversion(3, conversion_id=None))
    with pytest.raises(
        ConfigError, match=r"1 row has no conversion_id.*\. 1 row has no updated_at"
    ):
        sync(destination())


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
def test_values_of_another_form_are_found_among_what_is_new_and_once_a_day_behind(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    made = destination(source__lookback="0s")
    assert sync(made).delivered == 1
    warehouse.insert(conversion(2, updated_at="1999-01-01 00:00:00"))
    assert sync(made).complete
    a_day_later(project)
    with pytest.raises(ConfigError, match="written in another form"):
        sync(made)
    warehouse.execute("delete from conversions where conversion_id = 'c000002'")
    warehouse.insert(conversion(3, updated_at="9999-01-01 00:00:00"))
    with pytest.raises(ConfigError, match="written in another form"):
        sync(made)
