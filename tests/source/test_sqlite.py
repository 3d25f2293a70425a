"""SQLite read column by column gives the very frames that its rows give, or steps aside."""

from __future__ import annotations

import functools
import math
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.arrow.convert import to_table
from connector.config.destination import Destination
from connector.errors import WarehouseError
from connector.model import Range
from connector.source.dialects import base as readers
from connector.source.dialects.sqlite import SqliteColumns
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
    """The database as a destination's source. query: what is read; address: parameters of the URL."""

    @functools.cache
    def destination(query: str, address: str) -> Destination:
        project.query(query)
        project.write(
            f"sqlite:///{path}{address}", "http://127.0.0.1:9/", extra={"a": "a", "b": "b"}
        )
        return project.load()

    def make(query: str = "select * from conversions", address: str = "") -> SourceReader:
        return SourceReader(destination(query, address), ["order_id"])

    return make


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


def read(warehouse: SourceReader, size: int) -> list[pa.Table]:
    with closing(warehouse):
        pages = warehouse.read(Range(), size)
        return [
            to_table(rows.frame)
            .append_column("cursor", rows.cursors)
            .append_column("key", rows.keys[0])
            for rows in pages
        ]


def exactly(tables: list[pa.Table]) -> list[Any]:
    """Types and values, numbers by their bits."""
    bits = lambda value: struct.pack("d", value) if isinstance(value, float) else value  # noqa: E731
    return [
        (table.schema, [[bits(value) for value in column.to_pylist()] for column in table.columns])
        for table in tables
    ]


def both(
    make: Callable[[], SourceReader], monkeypatch: pytest.MonkeyPatch, size: int = 100
) -> tuple[list[pa.Table], list[bool]]:
    """The pages, after they were found the same by rows; and of each statement whether it was answered column by column."""
    answered: list[bool] = []
    fetch = SqliteColumns.fetch

    def watched(
        self: SqliteColumns, connection: sa.Connection, statement: sa.Select[Any]
    ) -> pa.Table | None:
        table = fetch(self, connection, statement)
        answered.append(table is not None)
        return table

    with monkeypatch.context() as patch:
        patch.setattr(SqliteColumns, "fetch", watched)
        fast = read(make(), size)
        patch.setattr(SqliteColumns, "fetch", lambda *_: None)
        slow = read(make(), size)
    assert exactly(fast) == exactly(slow)
    return fast, answered


TEXTS = st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from(
    ["", "\0", "\x01", "\x02", "\x03", "\x1f", "a\x1fb", "\x01\x01", "\U0010ffff", "12", "1.5"]
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
REALS = (
    st.floats(allow_nan=False)
    | st.floats(-1e6, 1e6)
    | st.sampled_from(
        [0.0, -0.0, 0.1, 0.001, -0.001, 5e-324, 2.0**53, -(2.0**63), 2.0**63, 9.95, math.inf]
    )
)
MONEY = st.integers(0, 10**9).map(lambda cents: cents / 100)
KINDS = [
    TEXTS,
    INTEGERS,
    REALS,
    MONEY,
    MONEY | st.integers(0, 100),
    TEXTS | INTEGERS | REALS,
    st.binary(max_size=3),
    st.binary(max_size=3) | TEXTS,
    st.none(),
]
COLUMNS = st.sampled_from(KINDS).flatmap(
    lambda kind: st.lists(st.none() | kind, min_size=12, max_size=12)
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.tuples(COLUMNS, COLUMNS, COLUMNS), st.integers(1, 13))
@example(
    (
        ["\x01", None, "", "\x02", None, "x", "\x1f"],
        [0.5, 1, None, -0.0, 0.0, 3, 4],
        [None, None, 1, 1.5, "1", "", b""],
    ),
    3,
)
def test_frames_are_the_same_whatever_the_columns_hold(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch, columns: Any, size: int
) -> None:
    fill(path, list(zip(*columns, strict=True)))
    both(opened, monkeypatch, size)


FAST: dict[str, list[Any]] = {
    "texts": ["a", None, "", "Jürgen", "a\0b", "\t", "\U0010ffff"],
    "texts that say numbers": ["1", "1.50", "007", "1e3"],
    "integers": [1, None, -(2**63), 2**63 - 1, 2**53 + 1],
    "real numbers": [1.5, None, -0.001, 1e15 + 0.5, 123456789.123456789, 0.1 + 0.2, 0.0],
    "whole and real numbers": [12, 9.95, None, 100.0, 0.0, 2.0**60],
    "texts and numbers": ["a", 1, 2.5, None, ""],
    "nulls": [None, None],
}
SLOW: dict[str, list[Any]] = {
    "blobs": [b"a", b"\xff", None],
    "a blob among texts": ["a", b"a"],
    "a sign in a text": ["a\x1fb"],
    "a text that is a sign": ["a", "\x01"],
    "a sign and a null": ["a\x01b", None],
    "another sign": ["\x02"],
    "what no text comes before": ["\U0010ffff\0"],
    "very small numbers": [0.0001 / 3, 1.5],
    "very large numbers": [1e19],
    "infinity": [math.inf],
    "negative zero": [-0.0, 1.5],
}


@pytest.mark.parametrize("kind", [*FAST, *SLOW])
def test_what_is_read_by_columns_and_what_by_rows(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    fill(path, [(value, value, None) for value in (FAST | SLOW)[kind]])
    pages, answered = both(opened, monkeypatch)
    assert answered == [kind in FAST]
    assert sum(page.num_rows for page in pages) == len((FAST | SLOW)[kind])


def test_a_column_that_changes_its_kind_from_page_to_page(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [None, None, "a", "b", 1, 2, 1.5, 2.5, "c", 3, None, b"x", "d", "e"]
    fill(path, [(value, value, value) for value in values])
    monkeypatch.setattr("connector.source.reader.READ_BYTES", 1)
    monkeypatch.setattr("connector.source.reader.THREADS", 0)
    _, answered = both(opened, monkeypatch, 2)
    assert answered == [True, True, True, True, True, False, False, False]


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
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch, keys: list[Any], index: str
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "create table conversions (conversion_id collate nocase, updated_at, order_id text, a, b)"
        )
        rows = [
            (key, moment, f"{key!r} {moment}", None, 1)
            for moment in ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")
            for key in keys
        ]
        connection.executemany("insert into conversions values (?, ?, ?, ?, ?)", rows)
        connection.execute(index)
    for size in (1, 4, 100):
        pages, answered = both(opened, monkeypatch, size)
        assert all(answered)
        assert [(row["key"], row["cursor"]) for page in pages for row in page.to_pylist()] == [
            (str(key), moment)
            for moment in ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
            for key in sorted(keys)
        ]


QUERIES = {
    "join": "select c.*, d.b as x from conversions c join conversions d using (conversion_id)",
    "union": "select * from conversions where conversion_id < 'c001' union all select * from conversions where conversion_id >= 'c001'",
    "grouped": "select conversion_id, max(updated_at) as updated_at, sum(order_id) as order_id, count(*) as a, group_concat(b) as b from conversions group by 1",
    "limited": "select * from conversions order by conversion_id limit 3",
    "json": """select conversion_id, updated_at, json('"x"') as order_id, json('5') as a, json_array(b) as b from conversions""",
    "expressions": "select conversion_id, updated_at, order_id * 3 as order_id, upper(b) || '%:x?' as a, b like 'A%' as b from conversions",
    "window": "select conversion_id, updated_at, sum(order_id) over (order by conversion_id) as order_id, a, b from conversions",
    "common table": "with r as (select * from conversions) select conversion_id as conversion_id, updated_at, order_id, a, b from r -- end",
}


@pytest.mark.parametrize("query", QUERIES)
def test_any_query_can_be_read_by_columns(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    fill(path, [(1.25, 7, "a"), (3, None, None), (0.75, 9, "ü"), (2, 1, "A")])
    _, answered = both(lambda: opened(QUERIES[query]), monkeypatch, 2)
    assert all(answered)


def test_declared_types_are_kept(opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("007", "1.50", "1.50"), (8, 9.95, 9), (None, None, None), ("x", "x", 2**60)]
    fill(path, rows, "conversion_id text, updated_at text, order_id text, a numeric, b real")
    pages, answered = both(opened, monkeypatch)
    assert answered == [True]
    assert pages[0].to_pydict()["order_id"] == ["007", "8", None, "x"]
    assert pages[0].to_pydict()["extra.a"] == ["1.5", "9.95", None, "x"]


def test_an_empty_table_has_no_pages(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, [("a",)])
    _, answered = both(
        lambda: opened("select * from conversions where conversion_id > 'z'"), monkeypatch
    )
    assert answered == [True]


def test_another_encoding_is_read_by_rows(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts in UTF-16 have another order."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma encoding = 'UTF-16le'")
        connection.execute("create table first (a)")
    fill(path, [("a", "b", "c"), ("d", "e", "f")])
    assert both(opened, monkeypatch)[1] == [False]


def test_converted_types_are_read_by_rows(
    opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, [("2026-01-01",)], "conversion_id, updated_at, order_id date, a, b")
    assert both(lambda: opened(address="?detect_types=1"), monkeypatch)[1] == [False]


def test_a_row_that_is_no_utf8_stops_the_run_without_being_quoted(opened: Open, path: Path) -> None:
    fill(path, [("a",)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update conversions set order_id = cast(x'70657273f66e' as text)")
    with pytest.raises(WarehouseError, match="OperationalError") as raised:
        read(opened(), 10)
    assert "pers" not in str(raised.value)


def test_a_limit_is_not_lost(path: Path) -> None:
    fill(path, [("a",), ("b",)])
    engine = readers.engine(sa.make_url(f"sqlite:///{path}"))
    table = sa.table("conversions", sa.column("conversion_id"))
    statement = sa.select(table.c.conversion_id)
    with engine.connect() as connection:
        found = [
            readers.fetch(connection, each, {}, readers.fast(engine)).num_rows
            for each in (statement, statement.limit(1), statement.offset(2))
        ]
    engine.dispose()
    assert found == [2, 1, 0]
