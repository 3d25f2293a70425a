"""A cursor or key column gets another type: the run stops with a sentence, and a person decides."""

from __future__ import annotations

import pytest

from connector.commands.resolve import accept_changes, put_watermark
from connector.commands.status import status
from connector.commands.sync import sync
from connector.errors import ConfigError, StateMismatch
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import TestWarehouse, conversion

NUMBER = "replace(conversion_id, 'c0000', '')"
INTEGER = f"cast({NUMBER} as bigint)"


def define(warehouse: TestWarehouse, key: str, cursor: str = "updated_at") -> None:
    """Define the view that the query selects from. key, cursor: SQL of these columns."""
    warehouse.execute("drop view if exists v")
    warehouse.execute(
        f"create view v as select {key} as conversion_id, {cursor} as updated_at, event_name,"
        " email, value, currency from conversions"
    )


@pytest.fixture
def made(project: Project, destination: Make, warehouse: TestWarehouse) -> Make:
    """A destination that reads a view on rows 17, 18 and 19."""
    warehouse.insert(*(conversion(number) for number in (17, 18, 19)))
    project.query("select * from v")
    return destination


@pytest.mark.parametrize("key", [NUMBER, "conversion_id"])
def test_a_key_that_becomes_an_integer_is_told(
    made: Make, warehouse: TestWarehouse, key: str
) -> None:
    """Also where the text of the mark's key is no number."""
    define(warehouse, key)
    assert sync(made()).delivered == 3
    define(warehouse, INTEGER)
    told = "the column conversion_id was text and is integer, so the high-water mark may not mean"
    with pytest.raises(StateMismatch, match=told):
        sync(made())
    assert told in str(status(made()).warning)


def test_a_key_with_the_same_texts_goes_on_when_a_person_says_so(
    made: Make, warehouse: TestWarehouse
) -> None:
    define(warehouse, NUMBER)
    sync(made())
    define(warehouse, INTEGER)
    assert accept_changes(made()) == ["the column conversion_id was text and is integer"]
    warehouse.insert(conversion(20))
    report = sync(made())
    assert (report.failure, report.delivered, report.late) == (None, 1, 0)


def test_a_key_with_other_texts_is_not_accepted(made: Make, warehouse: TestWarehouse) -> None:
    """All rows within lookback would be sent again, under other ids."""
    define(warehouse, "conversion_id")
    sync(made())
    define(warehouse, INTEGER)
    with pytest.raises(ConfigError, match="the values of conversion_id are other texts than they"):
        accept_changes(made())
    put_watermark(made(), "now")
    assert sync(made()).rows_read == 0


def test_a_cursor_that_becomes_a_number_is_not_accepted(
    made: Make, warehouse: TestWarehouse
) -> None:
    define(warehouse, NUMBER)
    sync(made())
    define(warehouse, NUMBER, INTEGER)
    with pytest.raises(ConfigError, match="which no row's updated_at can be now"):
        accept_changes(made())
