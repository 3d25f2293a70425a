"""Every type of every database comes exactly over every reader:
as its text, as JSON, or as a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy.dialects import registry

from connector.arrow.text import exact_text, text_array
from connector.commands.sync import sync
from connector.model import Range
from connector.sandbox.server import Receiver
from connector.source.dialects.adbc import AdbcReader
from connector.source.dialects.base import RowReader
from connector.source.dialects.postgresql import PostgreSql as Dialect
from connector.source.reader import SourceReader
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, PostgreSql, Sqlite, TestWarehouse, conversion

UUID = "85b04ded-09dd-4015-ad30-581e45452dd9"

POSTGRESQL = {
    "true": "true",
    "'a'::\"char\"": "a",
    "'n'::name": "n",
    "(-32768)::int2": "-32768",
    "2147483647::int4": "2147483647",
    "9223372036854775807::int8": "9223372036854775807",
    "4294967295::oid": "4294967295",
    "'Jürgen'::text": "Jürgen",
    "''::text": "",
    "'x'::varchar(9)": "x",
    "'x'::char(3)": "x  ",
    "'abc'::bytea": "abc",
    "1299.50::numeric::money": "1299.5",
    "(-0.01)::numeric::money": "-0.01",
    "0.1::float4": "0.1",
    "1e6::float4": "1000000",
    "0.1::float8": "0.1",
    "1e300::float8": "1e+300",
    "1.50::numeric(9, 2)": "1.5",
    "123456789012345678901234567890.000000001::numeric": (
        "123456789012345678901234567890.000000001"
    ),
    "'NaN'::numeric": "NaN",
    "date '2026-05-31'": "2026-05-31",
    "date 'infinity'": "infinity",
    "date '0044-03-15 BC'": "0044-03-15 BC",
    "timestamp '2026-05-31 10:00:00.5'": "2026-05-31T10:00:00.500000",
    "timestamp '-infinity'": "-infinity",
    "timestamptz '2026-05-31 10:00:00+02'": "2026-05-31T08:00:00.000000Z",
    "timestamptz '20000-01-01 00:00:00+00'": "20000-01-01 00:00:00+00",
    "time '10:00:00.5'": "10:00:00.5",
    "timetz '10:00:00+02'": "10:00:00+02",
    "interval '1 day 2 hours'": "1 day 02:00:00",
    "inet '10.0.0.1'": "10.0.0.1",
    "inet '10.0.0.1/16'": "10.0.0.1/16",
    "inet '2001:db8::1'": "2001:db8::1",
    "cidr '10.0.0.0/8'": "10.0.0.0/8",
    "macaddr '08:00:2b:01:02:03'": "08:00:2b:01:02:03",
    "B'101'": "101",
    "B'101'::varbit": "101",
    """'{"price": 12345678901234567890.50}'::json""": '{"price": 12345678901234567890.50}',
    """'{"a": "ü"}'::jsonb""": '{"a": "ü"}',
    """'"a"'::jsonb""": "a",
    "'5'::jsonb": "5",
    "'null'::jsonb": None,
    f"'{UUID}'::uuid": UUID,
    "point(1, 2)": "(1,2)",
    "int4range(1, 5)": "[1,5)",
    "'a b'::tsvector": "'a' 'b'",
    "'753'::xid8": "753",
    "'0/16ED498'::pg_lsn": "0/16ED498",
    "'{a,b,NULL}'::text[]": '["a","b",null]',
    "'{1.50,2}'::numeric[]": "[1.50,2]",
    "'{{1,2},{3,4}}'::int[]": "[[1,2],[3,4]]",
    "row(1, 'a')": '{"f1":1,"f2":"a"}',
    "row(1, 'a')::pair": '{"a":1,"b":"a"}',
    "'happy'::mood": "happy",
    "'$12.00'::price": "12",
}
"""SQL expression -> the text of its value."""

GENERIC = POSTGRESQL | {
    "1299.50::numeric::money": "$1,299.50",
    "(-0.01)::numeric::money": "-$0.01",
    "date '0044-03-15 BC'": None,
    "time '10:00:00.5'": "10:00:00.500000",
    "timetz '10:00:00+02'": "10:00:00+02:00",
    "interval '1 day 2 hours'": "1 day, 2:00:00",
    "int4range(1, 5)": "[1, 5)",
    """'{"price": 12345678901234567890.50}'::json""": None,
    """'{"a": "ü"}'::jsonb""": '{"a":"ü"}',
    "'{1.50,2}'::numeric[]": '["1.5","2"]',
    "row(1, 'a')": '["1","a"]',
    "row(1, 'a')::pair": "(1,a)",
    "'$12.00'::price": "$12.00",
}
"""What psycopg's own values say, as any other database's driver is read: never another number."""

OF_ANOTHER_DRIVER = ("infinity", "BC", "20000", "12345678901234567890.50")
"""What psycopg itself cannot hold."""

DUCKDB = {
    "true": "true",
    "(-128)::tinyint": "-128",
    "18446744073709551615::ubigint": "18446744073709551615",
    "170141183460469231731687303715884105727::hugeint": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::uhugeint": "340282366920938463463374607431768211455",
    "'123456789012345678901234567890123456789012'::bignum": (
        "123456789012345678901234567890123456789012"
    ),
    "1.50::decimal(20, 2)": "1.5",
    "0.1::float": "0.1",
    "1e6::float": "1000000",
    "0.1::double": "0.1",
    "'Jürgen'": "Jürgen",
    "'abc'::blob": "abc",
    "'101'::bit": "101",
    "date '2026-05-31'": "2026-05-31",
    "date 'infinity'": "infinity",
    "date '0044-03-15 (BC)'": "-0043-03-15",
    "timestamp '2026-05-31 10:00:00.5'": "2026-05-31T10:00:00.500000",
    "timestamp '-infinity'": "-infinity",
    "timestamp '20000-01-01'": "20000-01-01T00:00:00.000000",
    "timestamptz '2026-05-31 10:00:00+02'": "2026-05-31T08:00:00.000000Z",
    "timestamptz 'infinity'": "infinity",
    "'2026-05-31 10:00:00.123456789'::timestamp_ns": "2026-05-31T10:00:00.123456789",
    "'2026-05-31 10:00:00'::timestamp_s": "2026-05-31T10:00:00",
    "'2026-05-31 10:00:00.5'::timestamp_ms": "2026-05-31T10:00:00.500",
    "time '10:00:00.5'": "10:00:00.5",
    "'10:00:00+02'::timetz": "10:00:00+02",
    "interval '1 day 2 hours'": "1 day 02:00:00",
    "'happy'::enum('happy', 'sad')": "happy",
    f"'{UUID}'::uuid": UUID,
    """'{"price": 12345678901234567890.50}'::json""": '{"price": 12345678901234567890.50}',
    "[1, 2]": "[1,2]",
    "[1, 2]::int[2]": "[1,2]",
    "[interval '1 day']": '["1 day"]',
    "{'a': 1, 'b': 'x'}": '{"a":1,"b":"x"}',
    "{'t': time '10:00:00'}": '{"t":"10:00:00"}',
    "map {'k': 1}": '{"k":1}',
    "union_value(a := 1)": '{"a":1}',
    "'5'::variant": '"5"',
}

SQLITE = {
    "9223372036854775807": "9223372036854775807",
    "0.1": "0.1",
    "1e300": "1e+300",
    "9e999": "inf",
    "'Jürgen'": "Jürgen",
    "x'616263'": "abc",
    "json('[1, 2.50]')": "[1,2.50]",
}


def read(
    project: Project, warehouse: TestWarehouse, url: str, values: Mapping[str, str | None]
) -> pa.Table:
    """All expressions as columns of one row, beside a row of nulls."""
    columns = [f"{value} as t{at}" for at, value in enumerate(values)]
    project.query(
        "select c.*, v.* from conversions c left join"
        f" (select 'c000001' as k, {', '.join(columns)}) v on v.k = c.conversion_id"
    )
    extra = {f"custom.t{at}": f"t{at}" for at in range(len(values))}
    project.write(url, "http://127.0.0.1:9/", extra=extra)
    warehouse.insert(conversion(1), conversion(2))
    with closing(SourceReader(project.load(), [])) as source:
        (page,) = source.read(Range(), 10)
    return page.table


def texts(table: pa.Table, values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Expression -> the text of its value; the other row has none."""
    assert all(column[1].as_py() is None for column in table.columns)
    return {value: text_of(table[f"extra.t{at}"]) for at, value in enumerate(values)}


def text_of(column: pa.ChunkedArray) -> str | None:
    """The first value as text."""
    if pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return exact_text(column[0].as_py())
    found: str | None = text_array(column)[0].as_py()
    return found


@pytest.fixture
def postgresql(postgres: str) -> PostgreSql:
    """A server that writes times and money in ways of its own."""
    warehouse = PostgreSql(postgres)
    warehouse.create()
    warehouse.execute("create type pair as (a int, b text)")
    warehouse.execute("create type mood as enum ('happy', 'sad')")
    warehouse.execute("create domain price as money")
    name = postgres.split("?")[0].rsplit("/", 1)[1]
    for setting in (
        "datestyle = 'SQL, DMY'",
        "timezone = 'Asia/Kolkata'",
        "extra_float_digits = 0",
    ):
        warehouse.execute(f"alter database {name} set {setting}")
    return warehouse


def test_postgresql(
    project: Project, postgresql: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over ADBC, without psycopg being asked; and over psycopg alone, in the very same columns."""
    answered: list[bool] = []
    fetch = AdbcReader.fetch_arrow

    def watched(self: AdbcReader, *arguments: Any) -> pa.Table | None:
        table = fetch(self, *arguments)
        answered.append(table is not None)
        return table

    monkeypatch.setattr(AdbcReader, "fetch_arrow", watched)
    over_adbc = read(project, postgresql, postgresql.url, POSTGRESQL)
    assert texts(over_adbc, POSTGRESQL) == POSTGRESQL
    assert answered == [True]
    monkeypatch.setattr(Dialect, "reader", lambda *_: RowReader())
    postgresql.execute("delete from conversions")
    over_psycopg = read(project, postgresql, postgresql.url, POSTGRESQL)
    assert texts(over_psycopg, POSTGRESQL) == POSTGRESQL
    assert answered == [True]
    assert over_psycopg.schema == over_adbc.schema


def test_any_other_database(project: Project, postgresql: PostgreSql) -> None:
    """PostgreSQL once more, under a name that no dialect has: its driver's Python values."""
    registry.register("anydb", "sqlalchemy.dialects.postgresql.psycopg", "PGDialect_psycopg")
    expected = {
        value: text
        for value, text in GENERIC.items()
        if not any(word in value for word in OF_ANOTHER_DRIVER)
    }
    url = postgresql.url.replace("postgresql://", "anydb://") + "&options=-c%20datestyle%3DISO"
    assert texts(read(project, postgresql, url, expected), expected) == expected


def test_duckdb(project: Project, duck: DuckDb) -> None:
    assert texts(read(project, duck, duck.url, DUCKDB), DUCKDB) == DUCKDB


def test_sqlite(project: Project, tmp_path: Path) -> None:
    warehouse = Sqlite(tmp_path)
    warehouse.create()
    assert texts(read(project, warehouse, warehouse.url, SQLITE), SQLITE) == SQLITE


@pytest.mark.parametrize("reader", [AdbcReader, RowReader])
def test_money_goes_out_in_major_units(
    project: Project,
    postgresql: PostgreSql,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    reader: type[AdbcReader | RowReader],
) -> None:
    """PostgreSQL's own type for it went out a hundredfold over ADBC,
    and not at all over psycopg.
    """
    monkeypatch.setattr(Dialect, "reader", lambda *_: reader())
    postgresql.insert(conversion(1, value="1299.50"))
    project.query("select c.*, value::money as paid from conversions c")
    project.write(postgresql.url, f"{receiver.url}/signal/v1/conversion", columns={"value": "paid"})
    assert sync(project.load()).delivered == 1
    assert [each["event"]["value"] for each in receiver.inbox.latest] == [1299.5]
