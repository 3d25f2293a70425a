"""PostgreSQL over ADBC binds values, reads only, and steps aside where it cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector.source.dialects.adbc import AdbcReader
from connector.source.dialects.postgresql import DIALECT


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
    names = ("TimeZone", "transaction_read_only", "DateStyle")
    settings = (sa.func.current_setting(sa.literal(name)).label(name) for name in names)
    found = adbc.fetch_arrow(connection, sa.select(*settings))
    assert found is not None
    assert found.to_pylist() == [
        {"TimeZone": "UTC", "transaction_read_only": "on", "DateStyle": "ISO, MDY"}
    ]


@pytest.mark.parametrize("value", ["it's", 'a"b', "100%", "$1", ":name", "\\", "ü", "x" * 500])
def test_values_are_bound_whatever_they_hold(
    connection: sa.Connection, adbc: AdbcReader, value: str
) -> None:
    statement = sa.select(sa.literal(value).label("text"), sa.literal(2**60).label("number"))
    found = adbc.fetch_arrow(connection, statement)
    assert found is not None
    assert found.to_pylist() == [{"text": value, "number": 2**60}]


def test_what_it_does_not_give_exactly_is_left_to_psycopg(
    connection: sa.Connection, adbc: AdbcReader
) -> None:
    """A type that the dialect selects as something else; here it is selected as it is."""
    for text in ("1299.50::numeric::money", "interval '1 day'", "array[array[1, 2]]"):
        statement = sa.select(sa.literal_column(text).label("odd"))
        assert adbc.fetch_arrow(connection, statement) is None
        assert adbc.fetch(connection, statement).num_rows == 1


def test_an_error_leaves_it_usable(connection: sa.Connection, adbc: AdbcReader) -> None:
    assert adbc.fetch_arrow(connection, sa.select(sa.literal_column("no_such_column"))) is None
    one = sa.select(sa.literal_column("1").label("one"))
    assert adbc.fetch_arrow(connection, one) is not None
