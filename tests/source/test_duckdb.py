"""Rows that lie in order need no sorting; all others are sorted by the database."""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Range
from connector.source.dialects.duckdb import is_in_order
from tests.conftest import Make
from tests.source.test_reader import opened, places
from tests.support.warehouses import TestWarehouse, ago, conversion

TEXTS = st.text("aAzZé0 ", max_size=3)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), TEXTS, st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 3))),
    max_size=8,
)


@given(ROWS, st.booleans())
def test_rows_are_in_order_when_sorting_changes_nothing(
    rows: list[tuple[int, str, dt.date]], sort: bool
) -> None:
    """Text by its bytes; a column without the sign plays no part."""
    expected = sorted(rows, key=lambda row: (row[0], row[1].encode(), row[2]))
    rows = expected if sort else rows
    number, text, day = (
        pa.array([row[index] for row in rows], kind)
        for index, kind in enumerate((pa.int64(), pa.string(), pa.date32()))
    )
    table = pa.table(
        {
            "_cursor": number,
            "_key0": text,
            "_key1": day,
            "name": pa.array(range(len(rows), 0, -1), pa.int64()),
        }
    )
    assert is_in_order(table) == (rows == expected)
    assert is_in_order(pa.concat_tables([table.slice(0, 3), table.slice(3)])) == (rows == expected)


def test_without_a_column_to_order_by_every_order_will_do() -> None:
    assert is_in_order(pa.table({"name": ["b", "a"]}))


def test_one_row_or_none_is_in_order_whatever_its_type() -> None:
    assert is_in_order(pa.table({"_cursor": [1.0]}))
    assert is_in_order(pa.schema([("_cursor", pa.float64())]).empty_table())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.0, 2.0]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([1, None]),
        pa.array([False, True]),
        pa.array([[1], [2]]),
    ],
    ids=["real", "enum", "null", "flag", "list"],
)
def test_what_a_database_may_order_in_another_way_is_left_to_it(values: pa.Array) -> None:
    assert not is_in_order(pa.table({"_cursor": values}))
    assert not is_in_order(pa.table({"_cursor": pa.array([1, 1]), "_key0": values}))


def test_rows_in_any_order_are_read_in_the_order_of_cursor_and_key(
    destination: Make, warehouse: TestWarehouse
) -> None:
    rows = [conversion(number, updated_at=ago(hours=9 - number // 5)) for number in range(40)]
    expected = [f"c{number:06d}" for number in range(40)]
    random.Random(7).shuffle(rows)
    warehouse.insert(*rows)
    with opened(destination()) as source:
        for size in (3, 7, 40):
            assert [key for _, (key,) in places(source.read(Range(), size))] == expected
