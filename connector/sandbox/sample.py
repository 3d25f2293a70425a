"""A sample warehouse: a DuckDB file with conversions as shops really have them, dirt included.

The same seed gives the same rows.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

SEED = 20261124
_EVENTS = ["Purchase"] * 6 + ["Lead"] * 2 + ["Signup", "Page View"]
_AGENTS = (
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/124.0.0.0 Safari/537.36"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
        " Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
    ),
    None,
)
_FIRST = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Ken", "Radia")
_LAST = ("Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Allen", "Thompson", "Perlman")
_SCHEMA = pa.schema(
    [
        ("conversion_id", pa.string()),
        ("updated_at", pa.timestamp("us", "UTC")),
        ("event_name", pa.string()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("customer_email", pa.string()),
        ("customer_phone", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("country", pa.string()),
        ("visitor_uuid", pa.string()),
        ("customer_no", pa.int64()),
        ("order_no", pa.string()),
        ("amount", pa.decimal128(12, 2)),
        ("currency", pa.string()),
        ("user_agent", pa.string()),
        ("page", pa.string()),
        ("ip", pa.string()),
        ("internal_note", pa.string()),
    ]
)


def build(
    path: Path,
    rows: int,
    *,
    until: dt.datetime,
    over: dt.timedelta,
    first: int = 0,
    seed: int = SEED,
) -> None:
    """Create the file where it is missing, and add rows to its table `conversions`.

    Args:
        path: The DuckDB file.
        rows: How many to add.
        until: The last `updated_at`.
        over: How long before `until` the first `updated_at` lies.
        first: Number of the first row; ids are made from it.
        seed: The same seed gives the same rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(
        conversions(rows, until=until, over=over, first=first, seed=seed), _SCHEMA
    )
    connection = duckdb.connect(str(path))
    try:
        connection.register("added", table)
        connection.execute("CREATE TABLE IF NOT EXISTS conversions AS SELECT * FROM added LIMIT 0")
        connection.execute("INSERT INTO conversions SELECT * FROM added")
    finally:
        connection.close()


def conversions(
    rows: int, *, until: dt.datetime, over: dt.timedelta, first: int = 0, seed: int = SEED
) -> list[dict[str, Any]]:
    """Make rows of the sample.

    Ten share each `updated_at`, as a bulk load leaves them; two in a hundred cannot be delivered.

    Args:
        rows: How many.
        until: The last `updated_at`.
        over: How long before `until` the first `updated_at` lies.
        first: Number of the first row; ids are made from it.
        seed: The same seed gives the same rows.
    """
    groups = max((rows + 9) // 10, 1)
    return [
        _conversion(first + number, until - over * ((groups - 1 - number // 10) / groups), seed)
        for number in range(rows)
    ]


def _conversion(number: int, updated_at: dt.datetime, seed: int) -> dict[str, Any]:
    chance = random.Random(f"{seed}/{number}")  # noqa: S311  sample data
    first_name, last_name = chance.choice(_FIRST), chance.choice(_LAST)
    event = chance.choice(_EVENTS)
    row: dict[str, Any] = {
        "conversion_id": f"c{number:07d}",
        "updated_at": updated_at.replace(microsecond=0),
        "event_name": event,
        "event_time": updated_at - dt.timedelta(seconds=chance.randrange(60, 3600)),
        "customer_email": _email(chance, first_name, last_name, number),
        "customer_phone": _phone(chance, number),
        "first_name": first_name,
        "last_name": last_name,
        "country": chance.choice(("US", "us", "United States", None)),
        "visitor_uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)).upper()
        if chance.random() < 0.5
        else str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "customer_no": 100_000 + number,
        "order_no": f"{700_000 + number:09d}" if event == "Purchase" else None,
        "amount": round(chance.lognormvariate(3.5, 0.8), 2)
        if event in ("Purchase", "Lead")
        else None,
        "currency": chance.choice(("USD", "usd", "EUR")) if event == "Purchase" else None,
        "user_agent": chance.choice(_AGENTS),
        "page": f"https://shop.example/thanks?order={number}",
        "ip": f"93.184.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        "internal_note": "never leaves the warehouse",
    }
    return _with_decimal(_spoiled(row, number))


def _email(chance: random.Random, first_name: str, last_name: str, number: int) -> str | None:
    plain = f"{first_name}.{last_name}{number}@example.org"
    return chance.choice(
        (
            plain,
            plain.upper(),
            f"  {plain} ",
            plain.lower(),
            None,
            "n/a",
            f"{plain},",
            f"mailto:{plain}",
        )
    )


def _phone(chance: random.Random, number: int) -> str | None:
    line = f"{number % 10_000:04d}"
    return chance.choice(
        (
            f"(415) 555-{line}",
            f"+1 415 555 {line}",
            f"001415555{line}",
            f"+44 20 7946 {line}",
            None,
            "0000000000",
        )
    )


def _spoiled(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Two rows in a hundred: one about nobody, one with an impossible amount."""
    if number % 100 == 17:
        return {
            **row,
            "customer_email": None,
            "customer_phone": None,
            "visitor_uuid": None,
            "customer_no": None,
        }
    if number % 100 == 71:
        return {**row, "amount": -19.99, "currency": "USD"}
    return row


def _with_decimal(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "amount": None if row["amount"] is None else Decimal(str(row["amount"]))}
