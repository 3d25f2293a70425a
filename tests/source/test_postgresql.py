"""PostgreSQL over ADBC gives the very frames that psycopg's values give, or steps aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from connector.arrow.convert import to_table
from connector.model import Range
from connector.source.dialects.base import RowReader
from connector.source.dialects.postgresql import DIALECT, AdbcReader, PostgreSql
from connector.source.reader import SourceReader
from tests.support.projects import Project

SAME = {
    "text": ("text", "'Jürgen'", "''", "'99'"),
    "varchar": ("varchar(20)", "'a'", "'b'"),
    "char": ("char(5)", "'a'", "'abcde'"),
    "smallint": ("smallint", "1", "-32768"),
    "integer": ("integer", "1", "-2147483648"),
    "bigint": ("bigint", "9007199254740993", "-9223372036854775808"),
    "numeric": (
        "numeric",
        "1.50",
        "100",
        "0.000000000000000000001",
        "123456789012345678901234567890",
    ),
    "money amounts": ("numeric(12, 2)", "9.50", "10.00", "0"),
    "not a number": ("numeric", "'NaN'", "1.5"),
    "double": ("double precision", "0.1", "1e300", "'NaN'", "9007199254740993"),
    "boolean": ("boolean", "true", "false"),
    "date": ("date", "'2026-05-31'", "'0001-01-01'", "'9999-12-30'"),
    "timestamp": ("timestamp", "'2026-05-31 10:00:00.123456'", "'1969-12-31 23:59:59.999999'"),
    "timestamptz": ("timestamptz", "'2026-05-31 10:00:00.123456+02'", "'0001-01-02 00:00:00+00'"),
    "uuid": (
        "uuid",
        "'85b04ded-09dd-4015-ad30-581e45452dd9'",
        "'00000000-0000-0000-0000-000000000000'",
    ),
    "jsonb": ("jsonb", """'{"b": [1, 2.50, null], "a": "ü"}'""", "'[]'", "'{}'"),
    "jsonb of scalars": ("jsonb", "'5'", "'\"a\"'", "'null'", "'true'"),
    "json": ("json", """'[{"id": "sku-1",  "price": 12345678901234567890}]'""", "'{\"a\":1}'"),
    "enum": ("mood", "'happy'", "'sad'"),
    "bytes": ("bytea", r"'\x00ff'", "'abc'"),
}
OTHER = {
    "real": ("real", "0.1", "1.5"),
    "inet": ("inet", "'10.0.0.1'", "'10.0.0.0/8'"),
    "infinite date": ("timestamp", "'2026-05-31'"),
    "array of text": ("text[]", "'{a,b,NULL}'", "'{}'"),
    "array of integers": ("int[]", "'{1,2}'", "'{}'"),
    "array of arrays": ("int[][]", "'{{1,2},{3,4}}'"),
    "array of numerics": ("numeric[]", "'{1.50,2}'"),
    "time": ("time", "'10:00:00'"),
    "composite": ("pair", "row(1, 'a')"),
}


@pytest.fixture
def source(project: Project, postgres: str) -> Iterator[Callable[..., SourceReader]]:
    """Fills a table with values of one type, and opens it as a destination's source."""
    opened: list[SourceReader] = []

    def make(kind: str, *values: str) -> SourceReader:
        with psycopg.connect(postgres) as connection:
            connection.execute("create type pair as (a int, b text)")
            connection.execute("create type mood as enum ('happy', 'sad')")
            connection.execute(
                f"create table conversions (conversion_id text, updated_at timestamptz, order_id {kind}, note {kind}, empty {kind})"
            )
            for number, value in enumerate([*values, "null"]):
                row = f"insert into conversions values ('c{number}', now() - interval '{number} hours', {value}, {value}, null)"
                connection.execute(row)  # type: ignore[arg-type]
        project.write(postgres, "http://127.0.0.1:9/", extra={"note": "note", "empty": "empty"})
        opened.append(SourceReader(project.load(), ["order_id"]))
        return opened[-1]

    yield make
    for warehouse in opened:
        warehouse.close()


def read(warehouse: SourceReader, size: int = 100) -> list[pa.Table]:
    return [
        to_table(rows.frame)
        .append_column("cursor", rows.cursors)
        .append_column("key", rows.keys[0])
        for rows in warehouse.read(Range(), size)
    ]


def both(
    warehouse: SourceReader, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[pa.Table], list[pa.Table], list[bool]]:
    """What comes over ADBC, what psycopg's values give, and whether each statement was answered over ADBC."""
    answered: list[bool] = []
    fetch = AdbcReader.fetch_arrow

    def watched(
        self: AdbcReader, connection: sa.Connection, statement: sa.Select[tuple[object, ...]]
    ) -> pa.Table | None:
        table = fetch(self, connection, statement)
        answered.append(table is not None)
        return table

    monkeypatch.setattr(AdbcReader, "fetch_arrow", watched)
    fast = read(warehouse)
    warehouse.close()
    monkeypatch.setattr(PostgreSql, "reader", lambda *_: RowReader())
    return fast, read(warehouse), answered


@pytest.mark.parametrize("kind", SAME)
def test_frames_are_the_same_in_values_and_types(
    source: Callable[..., SourceReader], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    fast, slow, answered = both(source(*SAME[kind]), monkeypatch)
    assert answered == [True]
    assert [table.schema for table in fast] == [table.schema for table in slow]
    assert str([table.to_pylist() for table in fast]) == str([table.to_pylist() for table in slow])
    assert fast[0].num_rows == len(SAME[kind])


@pytest.mark.parametrize("kind", OTHER)
def test_what_the_drivers_give_differently_is_read_by_psycopg(
    source: Callable[..., SourceReader], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    fast, slow, answered = both(source(*OTHER[kind]), monkeypatch)
    assert [table.schema for table in fast] == [table.schema for table in slow]
    assert str([table.to_pylist() for table in fast]) == str([table.to_pylist() for table in slow])
    assert kind == "infinite date" or answered == [False]


@pytest.fixture
def connection(postgres: str) -> Iterator[sa.Connection]:
    """A connection as a source opens it."""
    engine = DIALECT.create_engine(DIALECT.address(sa.make_url(postgres), Path("/")))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def adbc() -> Iterator[AdbcReader]:
    """A reader over ADBC."""
    reader = AdbcReader()
    yield reader
    reader.close()


def test_it_reads_only_and_in_utc(connection: sa.Connection, adbc: AdbcReader) -> None:
    names = ("TimeZone", "transaction_read_only", "default_transaction_read_only")
    settings = (sa.func.current_setting(sa.literal(name)).label(name) for name in names)
    found = adbc.fetch_arrow(connection, sa.select(*settings))
    assert found is not None
    assert found.to_pylist() == [
        {"TimeZone": "UTC", "transaction_read_only": "on", "default_transaction_read_only": "on"}
    ]


@pytest.mark.parametrize("value", ["it's", 'a"b', "100%", "$1", ":name", "\\", "ü", "x" * 500])
def test_values_are_bound_whatever_they_hold(
    connection: sa.Connection, adbc: AdbcReader, value: str
) -> None:
    statement = sa.select(sa.literal(value).label("text"), sa.literal(2**60).label("number"))
    found = adbc.fetch_arrow(connection, statement)
    assert found is not None
    assert found.to_pylist() == [{"text": value, "number": 2**60}]


def test_an_error_leaves_it_usable(connection: sa.Connection, adbc: AdbcReader) -> None:
    assert adbc.fetch_arrow(connection, sa.select(sa.literal_column("no_such_column"))) is None
    one = sa.select(sa.literal_column("1").label("one"))
    assert adbc.fetch_arrow(connection, one) is not None
