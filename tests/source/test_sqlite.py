"""SQLite, whose values have types of their own, gives each value exactly and rows in order."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.arrow.text import exact_text
from connector.config.destination import Destination
from connector.model import Range
from connector.source.reader import SourceReader
from tests.support.projects import Project

Open = Callable[..., SourceReader]
MOMENT = "2026-01-01T00:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table, whose columns have no type unless a test gives them one."""
    return tmp_path / "w.sqlite"


@pytest.fixture
def opened(project: Project, path: Path) -> Open:
    """The database as a destination's source. query: what is read."""

    @functools.cache
    def destination(query: str) -> Destination:
        project.query(query)
        project.write(f"sqlite:///{path}", "http://127.0.0.1:9/", extra={"a": "a", "b": "b"})
        return project.load()

    return lambda query="select * from conversions": SourceReader(destination(query), ["order_id"])


def fill(
    path: Path,
    rows: list[tuple[Any, ...]],
    columns: str = "conversion_id, updated_at, order_id, a, b",
) -> None:
    """Make the table anew with these rows; what they lack is a key, the moment and null."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("drop table if exists conversions")
        connection.execute(f"create table conversions ({columns})")
        values = [
            (f"c{number:03d}", MOMENT, *row, *[None] * (3 - len(row)))
            for number, row in enumerate(rows)
        ]
        connection.executemany("insert into conversions values (?, ?, ?, ?, ?)", values)


def read(source: SourceReader, size: int = 100) -> list[dict[str, Any]]:
    """All rows as Python values."""
    with closing(source):
        return [row for rows in source.read(Range(), size) for row in rows.table.to_pylist()]


VALUES = (
    st.none()
    | st.text(st.characters(exclude_categories=("Cs",)))
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.integers(0, 10**9).map(lambda cents: cents / 100)
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=12), st.integers(1, 13))
@example([("a", 0.5, None), (None, 1, 1), ("", None, 1.5), ("12", -0.0, "1")], 3)
def test_every_value_is_exact_whatever_else_its_column_holds(
    opened: Open, path: Path, rows: list[tuple[Any, ...]], size: int
) -> None:
    fill(path, rows)
    found = read(opened(), size)
    assert [[exact_text(value) for value in row.values()] for row in found] == [
        [exact_text(value) for value in row] for row in rows
    ]


@pytest.mark.parametrize(
    "index",
    [
        "",
        "create index i on conversions (updated_at, conversion_id)",
        "create index i on conversions (conversion_id)",
    ],
)
@pytest.mark.parametrize(
    "keys", [["b", "a", "B", "é", "aa", "Z", "a\0", "", "~"], [3, -1, 10, 9, 2**40]]
)
def test_rows_come_in_order_whatever_order_they_are_kept_in(
    opened: Open, path: Path, keys: list[Any], index: str
) -> None:
    moments = ("2026-01-02T00:00:00Z", MOMENT)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "create table conversions"
            " (conversion_id collate nocase, updated_at, order_id text, a, b)"
        )
        rows = [(key, moment, None, None, 1) for moment in moments for key in keys]
        connection.executemany("insert into conversions values (?, ?, ?, ?, ?)", rows)
        connection.execute(index)
    for size in (1, 4, 100):
        with closing(opened()) as source:
            found = [
                rows.mark(row) for rows in source.read(Range(), size) for row in range(len(rows))
            ]
        assert [(mark.cursor, mark.key) for mark in found] == [
            (moment, (str(key),)) for moment in sorted(moments) for key in sorted(keys)
        ]


QUERIES = {
    "join": "select c.*, d.b as x from conversions c join conversions d using (conversion_id)",
    "union": (
        "select * from conversions where a < 5 union all select * from conversions where a >= 5"
    ),
    "limited": "select * from conversions order by conversion_id limit 3",
    "json": (
        "select conversion_id, updated_at, order_id, json('5') as a, json_array(b) as b from "
        "conversions"
    ),
    "expressions": (
        "select conversion_id, updated_at, order_id, upper(b) || '%:x?' as a, b from conversions"
    ),
    "window": "select conversion_id, updated_at, order_id, sum(a) over () as a, b from conversions",
    "common table": "with r as (select * from conversions) select * from r -- end",
}


@pytest.mark.parametrize("query", QUERIES)
def test_any_query_can_be_read(opened: Open, path: Path, query: str) -> None:
    fill(path, [(1.25, 7, "a"), (3, 1, "b"), (0.75, 9, "ü"), (2, 1, "A")])
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        asked = f"select * from ({QUERIES[query]}\n) order by updated_at, conversion_id"
        expected = [
            [row[name] for name in ("order_id", "a", "b")] for row in connection.execute(asked)
        ]
    found = [list(row.values()) for row in read(opened(QUERIES[query]), 2)]
    assert [[exact_text(value) for value in row] for row in found] == [
        [exact_text(value) for value in row] for row in expected
    ]


def test_declared_types_are_kept(opened: Open, path: Path) -> None:
    rows = [("007", "1.50", "1.50"), (8, 9.95, 9), (None, None, None), ("x", "x", 2**60)]
    fill(path, rows, "conversion_id text, updated_at text, order_id text, a numeric, b real")
    found = read(opened())
    assert [row["order_id"] for row in found] == ["007", "8", None, "x"]
    assert [row["extra.a"] for row in found] == ["1.5", "9.95", None, "x"]
