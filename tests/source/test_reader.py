"""Reading in (cursor, key) order: every row once,
whatever the database, the types and the size of a page.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.commands.reconcile import reconcile
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.engine.plan import Options
from connector.errors import ConfigError
from connector.mapping.coverage import usable_columns
from connector.model import Mark, Range
from connector.sandbox.server import Receiver
from connector.source.dialects import duckdb as duckdb_dialect
from connector.source.reader import SourceReader
from connector.source.rows import Rows
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, PostgreSql, Sqlite, TestWarehouse, ago, conversion

Place = tuple[str, tuple[str, ...]]
BASE = dt.datetime(2026, 1, 1, 12, 0, 0, 999_998, tzinfo=dt.UTC)


@pytest.fixture
def unsent(project: Project, warehouse: TestWarehouse, monkeypatch: pytest.MonkeyPatch) -> Make:
    """As `destination`, where nothing is going to be sent."""
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url)

    def make(**changes: Any) -> Destination:
        project.write("env:WAREHOUSE_URL", "https://px.dsp.example/x", **changes)
        return project.load()

    return make


@contextlib.contextmanager
def opened(destination: Destination) -> Iterator[SourceReader]:
    """A destination's source."""
    source = SourceReader(destination, usable_columns(destination))
    try:
        yield source
    finally:
        source.close()


def overlooked(made: Destination) -> str:
    """Why a run would refuse the source."""
    with opened(made) as source:
        try:
            found = source.survey(None)
        except ConfigError as error:
            return str(error)
    return ". ".join(found.overlooked(made.model.source).values())


def places(read: Iterator[Rows]) -> list[Place]:
    """Cursor and key of every row, in the order they were read."""
    return [
        (mark.cursor, mark.key or ()) for rows in read for mark in map(rows.mark, range(len(rows)))
    ]


def as_mark(place: Place) -> Mark:
    """The mark that a run leaves behind a row."""
    return Mark(*place)


KINDS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "duckdb": {
        "timestamptz": ("updated_at", {}),
        "naive": ("updated_at at time zone 'UTC'", {}),
        "naive in a zone": (
            "updated_at at time zone 'America/New_York'",
            {"source__time_zone": "America/New_York"},
        ),
        "timestamp_s": ("(updated_at at time zone 'UTC')::timestamp_s", {}),
        "timestamp_ms": ("(updated_at at time zone 'UTC')::timestamp_ms", {}),
        "timestamp_ns": (
            "(updated_at at time zone 'UTC')::timestamp_ns + interval 1 microsecond",
            {},
        ),
        "date": ("(updated_at at time zone 'UTC')::date", {}),
        "integer": ("substr(conversion_id, 2)::integer", {}),
        "hugeint": ("'99999999999999999999'::hugeint + substr(conversion_id, 2)::integer", {}),
        "decimal": ("substr(conversion_id, 2)::decimal(38, 0)", {}),
        "epoch in s": ("epoch_us(updated_at) // 1000000", {"source__time_unit": "s"}),
        "epoch in us": ("epoch_us(updated_at)", {"source__time_unit": "us"}),
        "epoch in ns": ("epoch_ns(updated_at)", {"source__time_unit": "ns"}),
    },
    "postgresql": {
        "timestamptz": ("updated_at", {}),
        "timestamptz(3)": ("updated_at::timestamptz(3)", {}),
        "naive": ("updated_at at time zone 'UTC'", {}),
        "date": ("(updated_at at time zone 'UTC')::date", {}),
        "smallint": ("substr(conversion_id, 2)::smallint", {}),
        "numeric": ("substr(conversion_id, 2)::numeric * 1e30", {}),
        "epoch in ms": (
            "(extract(epoch from updated_at) * 1000)::bigint",
            {"source__time_unit": "ms"},
        ),
        "xid8": ("tx", {"source__cursor_kind": "xid8"}),
    },
    "sqlite": {
        "T and Z": ("updated_at", {}),
        "space and Z": ("replace(updated_at, 'T', ' ')", {}),
        "T and +00:00": ("replace(updated_at, 'Z', '+00:00')", {}),
        "space and no zone": ("replace(replace(updated_at, 'T', ' '), 'Z', '')", {}),
        "whole seconds": ("substr(updated_at, 1, 19) || 'Z'", {}),
        "integer": ("cast(substr(conversion_id, 2) as integer)", {}),
        "epoch in s": ("cast(strftime('%s', updated_at) as integer)", {"source__time_unit": "s"}),
    },
}
ALL_KINDS = [(database, kind) for database, kinds in KINDS.items() for kind in kinds]


@pytest.mark.parametrize(("warehouse", "kind"), ALL_KINDS, indirect=["warehouse"])
def test_every_mark_continues_behind_its_row_for_every_kind_of_cursor(
    project: Project, unsent: Make, warehouse: TestWarehouse, kind: str
) -> None:
    """Seven rows, some with the same cursor: from each of them on, exactly the rest is read;
    up to each of them, exactly the others.
    """
    if kind == "xid8":
        warehouse.execute("alter table conversions add column tx xid8 default pg_current_xact_id()")
    for numbers in ((0, 1, 2), (3, 4), (5, 6)):
        warehouse.insert(
            *(
                conversion(number, updated_at=BASE + dt.timedelta(microseconds=number // 2))
                for number in numbers
            )
        )
    expression, changes = KINDS[warehouse.kind][kind]
    project.query(f"select c.*, {expression} as place from conversions c")
    with opened(unsent(source__cursor="place", **changes)) as source:
        read = places(source.read(Range(), 2))
        assert sorted(key for _, (key,) in read) == [f"c{number:06d}" for number in range(7)]
        for index, place in enumerate(read):
            assert places(source.read(Range(as_mark(place)), 2)) == read[index + 1 :]
            assert places(source.read_keys(Range(None, as_mark(place)), 3)) == read[: index + 1]
            assert (
                places(source.read_keys(Range(Mark(place[0])), 3))
                == read[[cursor for cursor, _ in read].index(place[0]) :]
            )
        assert [as_mark(place) for place in read[1::2]] == source.slice_ends(Range(), 2)
        assert source.survey(as_mark(read[2])).waiting == 4


def test_a_cursor_in_nanoseconds_can_be_synced(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1), conversion(2))
    project.query(
        "select c.*, (updated_at at time zone 'UTC')::timestamp_ns as place from conversions c"
    )
    assert sync(duck_destination(source__cursor="place")).delivered == 2


TEXTS = st.sampled_from(
    ["", " ", "a", "A", "a ", "b", "é", "10", "9", "o'k", '"', "%", "\\", ":x", "?", "$1", "a\tb"]
) | st.text(
    st.characters(blacklist_characters="\x00\x1f", blacklist_categories=("Cs",)), max_size=3
)
NUMBERS = st.sampled_from([-(2**62), -1, 0, 2, 9, 10, 2**53, 2**53 + 1])
UUIDS = st.integers(0, 5).map(lambda number: str(uuid.UUID(int=number * 3 << 124)))
TABLES = {
    "duckdb": ("moment timestamptz, t varchar, n bigint, u uuid", "?"),
    "postgresql": ("moment timestamptz, t text, n bigint, u uuid", "%s"),
    "sqlite": ("moment text, t text, n integer, u text", "?"),
}


@pytest.mark.parametrize(
    "key", [["t", "n", "u"], ["n", "t", "u"], ["u", "t", "n"]], ids=lambda key: key[0]
)
def test_random_rows_are_read_once_and_in_order_whatever_the_page(
    project: Project, warehouse: TestWarehouse, unsent: Make, key: list[str]
) -> None:
    """Ties on the cursor, keys of text, integers and UUIDs, pages of any size;
    the database's own ORDER BY is the judge.
    """
    columns, mark = TABLES[warehouse.kind]
    warehouse.execute(f"create table places ({columns})")
    project.query("select * from places")
    made = unsent(source__cursor="moment", source__key=key)
    rows = st.sets(st.tuples(st.integers(0, 3), TEXTS, NUMBERS, UUIDS), max_size=14)

    @settings(max_examples=9, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(rows, st.integers(1, 5), st.data())
    def prove(found: set[tuple[int, str, int, str]], size: int, data: st.DataObject) -> None:
        warehouse.execute("delete from places")
        values = [
            (warehouse.adapt(BASE + dt.timedelta(microseconds=moment)), t, n, u)
            for moment, t, n, u in found
        ]
        if values:
            warehouse.execute_many(
                f"insert into places values ({mark}, {mark}, {mark}, {mark})", values
            )
        with opened(made) as source:
            read = places(source.read(Range(), size))
            expected = {
                tuple(str({"t": t, "n": n, "u": u}[name]) for name in key) for _, t, n, u in found
            }
            assert len(read) == len(found)
            assert {parts for _, parts in read} == expected
            assert places(source.read_keys(Range(), 100)) == read, "one statement with ORDER BY"
            if not read:
                return
            at = data.draw(st.integers(0, len(read) - 1))
            assert places(source.read(Range(as_mark(read[at])), size)) == read[at + 1 :]
            assert places(source.read(Range(None, as_mark(read[at])), size)) == read[: at + 1]
            some = data.draw(st.sets(st.sampled_from([parts for _, parts in read]), min_size=1))
            assert {parts for _, parts in places(iter([source.read_by_key(sorted(some))]))} == some

    prove()


def test_digits_in_a_number_are_compared_as_numbers(
    project: Project, unsent: Make, warehouse: TestWarehouse
) -> None:
    """As text, '99' comes after '100', and the rows behind it would never be read."""
    moment = ago(hours=3)
    warehouse.insert(*(conversion(number, updated_at=moment) for number in range(95, 112)))
    number = "cast(substr(conversion_id, 2) as bigint)"
    project.query(f"select c.*, {number} as number from conversions c")
    with opened(unsent(source__key="number")) as source:
        assert [key for _, (key,) in places(source.read(Range(), 5))] == [
            str(each) for each in range(95, 112)
        ]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("cast", ["", " at time zone 'UTC'"])
def test_the_time_zone_of_the_database_does_not_matter(
    project: Project,
    postgres: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    cast: str,
) -> None:
    """A role or a database may set any zone; marks and bounds are in UTC all the same."""
    warehouse = PostgreSql(postgres)
    warehouse.create()
    name = postgres.split("?")[0].rsplit("/", 1)[1]
    warehouse.execute(f"alter database {name} set timezone = '{zone}'")
    monkeypatch.setenv("WAREHOUSE_URL", postgres)
    project.query(f"select c.*, updated_at{cast} as place from conversions c")
    project.write(
        "env:WAREHOUSE_URL",
        f"{receiver.url}/signal/v1/conversion",
        source__cursor="place",
        source__lookback="0s",
    )
    made = project.load()
    warehouse.insert(
        conversion(1, updated_at=ago(hours=3)),
        conversion(2, updated_at=ago(minutes=1)),
        conversion(3, updated_at=ago(hours=-1)),
    )
    report = sync(made)
    assert (report.delivered, report.facts["future_rows"]) == (1, 1)
    warehouse.insert(conversion(4, updated_at=ago(hours=2)))
    assert sync(made).delivered == 1
    assert sync(made).rows_read == 0


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "texts",
    [
        ("2026-01-01T00:00:00Z", "2026-01-01 00:00:01Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01+00:00"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01"),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+02:00"),
        ("2026-01-01T00:00:00Z", "yesterday"),
        ("2026-01-01T00:00:00Z", "2026-01-02"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:01Z"),
        ("2026-01-01T00:00:00", "2026-01-01T02:00:00+05:00"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01 or soZ"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.51Z"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00.5x"),
        ("2026-01-01T00:00:00", "2026-01-01T00:00:00."),
        ("2026-01-01T00:00:00", "2026-02-30T00:00:00"),
        ("2026-01-01T00:00:00", "2026-01-01T24:00:00"),
        ("2026-01-01T00:00:00+00:00", "2026-13-01T00:00:00+00:00"),
    ],
)
def test_times_in_text_that_are_not_written_alike_are_refused(
    unsent: Make, warehouse: TestWarehouse, texts: tuple[str, str]
) -> None:
    warehouse.insert(*(conversion(number, updated_at=text) for number, text in enumerate(texts)))
    assert "1 values of the cursor updated_at are written in another form" in overlooked(unsent())


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "text", ["2026-01-01", "2026-01-01T00:00:00+02:00", "20260101T000000Z", "01/02/2026", "c1"]
)
def test_text_that_is_no_time_in_utc_is_no_cursor(
    unsent: Make, warehouse: TestWarehouse, text: str
) -> None:
    warehouse.insert(conversion(1, updated_at=text))
    assert "the cursor updated_at is text; use a timestamp" in overlooked(unsent())


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
def test_rows_from_before_the_start_stay_unsent_whatever_the_zone_of_naive_columns(
    destination: Make, warehouse: TestWarehouse
) -> None:
    start = ago(hours=30)
    made = destination(source__start=start.isoformat(), source__time_zone="Asia/Kolkata")
    warehouse.insert(
        conversion(1, updated_at=start - dt.timedelta(hours=2)),
        conversion(2, updated_at=start + dt.timedelta(hours=20)),
    )
    assert sync(made).delivered == 1
    assert sync(made).delivered == 0


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_a_cursor_at_infinity_waits_for_ever_and_is_counted(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1), conversion(2), conversion(3))
    warehouse.execute(
        "update conversions set updated_at = 'infinity' where conversion_id = 'c000002'"
    )
    report = sync(destination())
    assert (report.delivered, report.facts["future_rows"]) == (2, 1)


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
@pytest.mark.parametrize("value", ["infinity", "-infinity", "0044-03-15 BC", "20000-01-01"])
def test_an_event_time_that_python_cannot_hold_rejects_its_row_and_no_other(
    destination: Make, warehouse: TestWarehouse, value: str
) -> None:
    warehouse.insert(conversion(1), conversion(2))
    warehouse.execute(
        f"update conversions set event_time = '{value}' where conversion_id = 'c000002'"
    )
    report = sync(destination())
    assert (report.delivered, report.rejected) == (1, 1)
    assert report.tallies["rejected"] == {"bad_timestamp": 1}


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_an_xid8_cursor_passes_over_nothing_that_commits_late(
    destination: Make, warehouse: TestWarehouse, project: Project
) -> None:
    """A transaction is still open while a later one commits:
    its rows are read after it ends, without lag or lookback.
    """
    import psycopg

    warehouse.execute("alter table conversions add column tx xid8 default pg_current_xact_id()")
    made = destination(
        source__cursor="tx", source__cursor_kind="xid8", source__lag="0s", source__lookback="0s"
    )
    with psycopg.connect(warehouse.url) as slow:
        slow.execute(
            "insert into conversions (conversion_id, updated_at, event_name, email) values "
            "('slow', now(), 'Purchase', 'slow@shop.example.org')"
        )
        warehouse.insert(conversion(1), conversion(2))
        assert sync(made).delivered == 0, (
            "nothing is passed over while an older transaction is open"
        )
        slow.commit()
    assert sync(made).delivered == 3
    assert sync(made).rows_read == 0


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_reconcile_looks_at_all_rows_of_an_xid8_cursor(
    destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.execute("alter table conversions add column tx xid8 default pg_current_xact_id()")
    warehouse.insert(conversion(1), conversion(2))
    made = destination(source__cursor="tx", source__cursor_kind="xid8")
    assert sync(made).delivered == 2
    assert reconcile(made).rows == 2


@pytest.mark.parametrize("warehouse", ["postgresql"], indirect=True)
def test_a_padded_key_is_found_again(unsent: Make, warehouse: TestWarehouse) -> None:
    warehouse.execute("alter table conversions alter conversion_id type char(12)")
    warehouse.insert(conversion(1))
    with opened(unsent()) as source:
        ((_, key),) = places(source.read(Range(), 10))
        assert len(source.read_by_key([key])) == 1


def test_a_page_of_a_thousand_keys_is_found_again(unsent: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(*(conversion(number) for number in range(1000)))
    with opened(unsent()) as source:
        assert len(source.read_by_key([(f"c{number:06d}",) for number in range(1000)])) == 1000


def test_rows_that_are_gone_are_simply_not_found(unsent: Make, warehouse: TestWarehouse) -> None:
    warehouse.insert(conversion(1))
    with opened(unsent()) as source:
        assert [
            key
            for _, (key,) in places(
                iter([source.read_by_key([("c000001",), ("c000009",), ("o'k",)])])
            )
        ] == ["c000001"]


@pytest.mark.parametrize(
    "extreme",
    [
        {"source__lookback": "999999d"},
        {"source__lag": "999999d"},
        {"privacy": {"retention": "999999d"}},
    ],
)
def test_a_span_that_reaches_before_the_year_1_means_all(
    duck_destination: Make, duck: DuckDb, extreme: dict[str, Any]
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(**extreme)
    sync(made)
    assert sync(made, options=Options()).complete


@pytest.mark.parametrize("kind", [DuckDb, Sqlite])
def test_a_file_of_any_name_is_opened(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[DuckDb | Sqlite]
) -> None:
    folder = tmp_path / "a #1 100%25 & more ; é"
    folder.mkdir()
    warehouse = kind(folder)
    warehouse.create()
    warehouse.insert(conversion(1))
    monkeypatch.setenv(
        "WAREHOUSE_URL",
        sa.URL.create(warehouse.kind, database=str(warehouse.path)).render_as_string(),
    )
    project.write("env:WAREHOUSE_URL", "https://px.dsp.example/x")
    with opened(project.load()) as source:
        assert source.survey(None).waiting == 1


@pytest.mark.parametrize("room", ["1MB", "5MB", "64MB"])
def test_a_backlog_is_cut_in_the_same_places_however_little_memory_duckdb_may_sort_in(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    """Where it cannot sort on disk either, it takes what it needs;
    the limit of before holds again.
    """
    made = (
        "select 'k' || i, timestamptz '2026-01-01 00:00:00Z' + to_seconds(i % 777), 'Purchase' "
        "from range(200000) made(i)"
    )
    duck.execute(f"insert into conversions (conversion_id, updated_at, event_name) {made}")
    with opened(duck_destination()) as source:
        read = places(source.read_keys(Range(), 10_000))
        expected = [as_mark(read[at]) for at in (59_999, 119_999, 179_999)]
        usual = limit_of(source)
        monkeypatch.setattr(duckdb_dialect, "_SORTED", room)
        assert source.slice_ends(Range(), 60_000) == expected
        number, unit = limit_of(source)
        assert (unit, float(number)) == (usual[1], pytest.approx(float(usual[0]), abs=0.5))


def limit_of(source: SourceReader) -> list[str]:
    """Number and unit, as DuckDB shows them; it rounds down each time that what it shows is set."""
    with source.warehouse.engine.connect() as connection:
        return str(
            connection.exec_driver_sql("select current_setting('memory_limit')").scalar()
        ).split()
