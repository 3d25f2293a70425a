"""SQLite is asked for what comes next while a page is used: the same rows, errors in their place, and nothing left running."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from connector.errors import ConfigError, WarehouseError
from connector.model import Range
from connector.source import reader as warehouses
from connector.source.dialects import sqlite as sqlite_columns
from connector.source.dialects.sqlite import SqliteColumns
from connector.source.prefetch import made_at_once
from connector.source.reader import Rows, SourceReader
from tests.support.projects import Project

ROWS = 40


def rows(count: int = ROWS) -> list[tuple[str, str, str]]:
    return [(f"c{at:03d}", f"2026-01-01T00:00:{at:02d}Z", f"o{at}") for at in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "w.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table conversions (conversion_id, updated_at, order_id)")
        connection.executemany("insert into conversions values (?, ?, ?)", rows())
    return path


@pytest.fixture
def source(project: Project, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SourceReader]:
    """A SQLite file with ROWS rows, of which two are read with a statement."""
    monkeypatch.setattr(warehouses, "READ_BYTES", 1)
    project.query("select * from conversions")
    project.write(f"sqlite:///{path}", "http://127.0.0.1:9/")
    with closing(SourceReader(project.load(), ["order_id"])) as opened:
        yield opened


def execute(path: Path, statement: str) -> None:
    """Change the database behind the reader's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def collect(pages: Iterator[Rows], read: list[str]) -> None:
    """Add keys in the order in which they are read."""
    for page in pages:
        read += page.keys[0].to_pylist()


def keys(pages: Iterator[Rows]) -> list[str]:
    read: list[str] = []
    collect(pages, read)
    return read


def read_until(source: SourceReader, error: type[Exception], told: str) -> list[str]:
    """Keys that were read before this error."""
    read: list[str] = []
    with pytest.raises(error, match=told):
        collect(source.read(Range(), 2), read)
    return read


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The thread of each statement for rows, as they are run."""
    found: list[str] = []
    fetch = SqliteColumns.fetch

    def watched(
        self: SqliteColumns, connection: sa.Connection, statement: sa.Select[Any]
    ) -> pa.Table | None:
        found.append(threading.current_thread().name)
        return fetch(self, connection, statement)

    monkeypatch.setattr(SqliteColumns, "fetch", watched)
    return found


def asking() -> list[str]:
    """Threads that ask, or could."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("capi-ask")]


def test_all_rows_come_once_and_in_order(source: SourceReader, threads: list[str]) -> None:
    here = threading.current_thread().name
    assert keys(source.read(Range(), 2)) == [key for key, *_ in rows()]
    assert threads[0] == here
    assert len(threads) == ROWS / 2 + 1
    assert here not in threads[1:]
    assert not asking()


def test_the_first_page_asks_for_no_other(source: SourceReader, threads: list[str]) -> None:
    with closing(source._pages(Range(), 2, source._description().selected())) as pages:
        assert len(next(pages)) == 2
        assert len(threads) == 1
        assert not asking()


def test_two_rows_with_one_key_are_refused_where_a_statement_ends(
    source: SourceReader, path: Path
) -> None:
    execute(path, "insert into conversions select * from conversions where conversion_id = 'c003'")
    assert read_until(source, ConfigError, "share the key 'c003'") == ["c000", "c001"]
    assert not asking()


def test_an_error_comes_after_the_pages_before_it(source: SourceReader, path: Path) -> None:
    execute(
        path, "update conversions set order_id = cast(x'ff' as text) where conversion_id = 'c021'"
    )
    assert read_until(source, WarehouseError, "OperationalError") == [key for key, *_ in rows(20)]
    assert not asking()


def test_a_row_that_is_committed_while_a_part_is_asked_for_is_read(
    source: SourceReader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the statement that finds the end of a part and the one for its rows."""
    parts = SourceReader._parts

    def and_then_someone_commits(self: SourceReader, *given: Any) -> Iterator[Range]:
        for at, part in enumerate(parts(self, *given)):
            if at == 3:
                execute(
                    path, "insert into conversions values ('c006x', '2026-01-01T00:00:06Z', 'o')"
                )
            yield part

    monkeypatch.setattr(SourceReader, "_parts", and_then_someone_commits)
    assert keys(source.read(Range(), 2)) == sorted([*(key for key, *_ in rows()), "c006x"])


def test_a_column_that_two_statements_find_to_be_mixed_is_not_given_up(
    source: SourceReader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each goes one step further from what it had asked for itself, here when the other has gone that step already."""
    execute(path, "update conversions set order_id = 5 where conversion_id > 'c001'")
    read = sqlite_columns._read
    both, further = threading.Barrier(2), threading.Event()
    failed: list[str] = []

    def watched(*given: Any) -> dict[str, pa.Array | None]:
        name = threading.current_thread().name
        if name in failed[:1]:
            further.set()
        found = read(*given)
        if any(values is None for values in found.values()) and len(failed) < 2:
            failed.append(name)
            both.wait(30)
            if name != failed[0]:
                assert further.wait(30)
        return found

    monkeypatch.setattr(sqlite_columns, "_read", watched)
    assert keys(source.read(Range(), 2)) == [key for key, *_ in rows()]
    assert len(set(failed)) == 2
    assert isinstance(source._fast, SqliteColumns)
    assert not source._fast._hopeless


def test_a_database_in_memory_is_asked_by_its_own_thread(
    project: Project, monkeypatch: pytest.MonkeyPatch, threads: list[str]
) -> None:
    monkeypatch.setattr(warehouses, "READ_BYTES", 1)
    numbers = "with recursive n(i) as (select 10 union all select i + 1 from n where i < 29)"
    project.query(
        f"{numbers} select 'c' || i as conversion_id, '2026-01-01T00:00:' || i || 'Z' as updated_at, i as order_id from n"
    )
    project.write("sqlite://", "http://127.0.0.1:9/")
    with closing(SourceReader(project.load(), ["order_id"])) as opened:
        assert keys(opened.read(Range(), 2)) == [f"c{at}" for at in range(10, 30)]
    assert set(threads) == {threading.current_thread().name}


def test_no_more_is_made_than_can_be_held() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            asked.append(item)
            yield item

    with closing(made_at_once(lambda item: item * 2, items(), 2)) as made:
        assert next(made) == 0
        assert asked == [0]
        for item in range(1, 20):
            assert next(made) == item * 2
            assert len(asked) == item + 3
        assert len(asking()) <= 2
    assert len(asked) == 22
    assert not asking(), "what was not asked for ends with the reader"


def test_threads_work_at_once_and_results_keep_their_order() -> None:
    """Each of two waits for the other, which one thread could never do; the later item is always done first."""
    done = [threading.Event() for _ in range(6)]

    def make(item: int) -> int:
        if item % 2 and not done[item + 1].wait(30):
            raise AssertionError("nothing else was made meanwhile")
        done[item].set()
        return item

    assert list(made_at_once(make, iter(range(5)), 2)) == [0, 1, 2, 3, 4]
