"""Text that is no UTF-8 costs its own value or row, and no other; a key of it is told by name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from connector.arrow.text import text_array
from connector.commands.sync import sync
from connector.errors import ConfigError
from connector.model import Range
from connector.sandbox.server import Receiver
from connector.source.dialects.adbc import AdbcReader
from connector.source.dialects.base import RowReader
from connector.source.dialects.postgresql import PostgreSql as Dialect
from connector.source.reader import SourceReader
from tests.support.projects import Project
from tests.support.warehouses import PostgreSql, Sqlite, conversion

NO_UTF8 = ["ff41", "c3", "eda080", "edbfbf", "f5808080", "c080"]
"""Hex of a lone byte, a cut character, halves of a surrogate pair, too large a code point, NUL."""


class Break(NamedTuple):
    """A warehouse whose text may be any bytes."""

    warehouse: Sqlite | PostgreSql

    @property
    def url(self) -> str:
        return self.warehouse.url

    def __call__(self, column: str, key: str, octets: str) -> None:
        """Put these bytes (in hex) into this column of the row with this key."""
        value = (
            f"cast(x'{octets}' as text)"
            if isinstance(self.warehouse, Sqlite)
            else f"convert_from('\\x{octets}', 'SQL_ASCII')"
        )
        self.warehouse.execute(
            f"update conversions set {column} = {value} where conversion_id = '{key}'"
        )


@pytest.fixture(params=["sqlite", "adbc", "psycopg"])
def broken(
    request: pytest.FixtureRequest,
    project: Project,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Break:
    """A destination with three rows, whose database takes any bytes for text."""
    if request.param == "sqlite":
        warehouse: Sqlite | PostgreSql = Sqlite(tmp_path)
    else:
        reader = AdbcReader if request.param == "adbc" else RowReader
        monkeypatch.setattr(Dialect, "reader", lambda *_: reader())
        server = request.getfixturevalue("postgres_server")
        warehouse = PostgreSql(server.replace("/postgres?", f"/{_ascii_database(server)}?"))
    warehouse.create()
    warehouse.execute("alter table conversions add column note text")
    warehouse.insert(*(conversion(at, note=f"n{at}", order_id=f"o{at}") for at in range(3)))
    project.write(warehouse.url, f"{receiver.url}/signal/v1/conversion")
    return Break(warehouse)


def _ascii_database(server: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute("select count(*) from pg_database").fetchone() or (0,)
        name = f"ascii_{found[0]}"
        connection.execute(
            f"create database {name} template template0 encoding 'SQL_ASCII' locale 'C'"  # type: ignore[arg-type]
        )
    return name


@pytest.mark.parametrize("octets", NO_UTF8)
def test_a_value_that_is_no_text_is_left_out(project: Project, broken: Break, octets: str) -> None:
    """Of a canonical column, and of one that is only passed on."""
    for column in ("order_id", "note"):
        broken(column, "c000001", octets)
    project.write(broken.url, "http://127.0.0.1:9/", extra={"custom.note": "note"})
    with closing(SourceReader(project.load(), ["order_id"])) as source:
        (page,) = source.read(Range(), 10)
    assert text_array(page.table["order_id"]).to_pylist() == ["o0", None, "o2"]
    assert text_array(page.table["extra.note"]).to_pylist() == ["n0", None, "n2"]


def test_the_row_is_sent_without_it(project: Project, receiver: Receiver, broken: Break) -> None:
    broken("order_id", "c000001", "ff41")
    report = sync(project.load())
    assert (report.failure, report.delivered) == (None, 3)
    orders = {each["event"].get("order_id") for each in receiver.inbox.latest}
    assert orders == {"o0", None, "o2"}


def test_a_row_whose_name_is_no_text_is_rejected_alone(project: Project, broken: Break) -> None:
    broken("event_name", "c000001", "ff41")
    report = sync(project.load())
    assert (report.failure, report.delivered, report.rejected) == (None, 2, 1)
    assert report.tallies["rejected"] == {"missing_event_name": 1}


def test_a_key_that_is_no_text_is_told_by_its_column(project: Project, broken: Break) -> None:
    broken("conversion_id", "c000001", "ff41")
    report = sync(project.load())
    assert report.failure is not None
    assert "1 row has a conversion_id that is not valid UTF-8" in report.failure.message
    assert report.failure.exit_code == ConfigError.exit_code


def test_a_file_of_sqlite_that_is_written_in_latin1_is_read(
    tmp_path: Path, project: Project, receiver: Receiver
) -> None:
    """As a job writes it that forgot about encodings: all of its names."""
    warehouse = Sqlite(tmp_path)
    warehouse.create()
    warehouse.insert(*(conversion(at) for at in range(3)))
    with closing(sqlite3.connect(warehouse.path)) as connection, connection:
        connection.execute(
            "update conversions set order_id = cast(? as text)", ("Jürgen".encode("latin-1"),)
        )
    project.write(warehouse.url, f"{receiver.url}/signal/v1/conversion")
    assert sync(project.load()).delivered == 3


def test_a_latin1_database_of_postgresql_is_read_as_it_is_meant(
    project: Project, receiver: Receiver, postgres_server: str
) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("create database latin template template0 encoding 'LATIN1' locale 'C'")
    warehouse = PostgreSql(postgres_server.replace("/postgres?", "/latin?"))
    warehouse.create()
    warehouse.insert(conversion(1, order_id="Jürgen"))
    project.write(warehouse.url, f"{receiver.url}/signal/v1/conversion")
    assert sync(project.load()).delivered == 1
    assert [each["event"]["order_id"] for each in receiver.inbox.latest] == ["Jürgen"]
