"""Real databases with one table of conversions,
filled and changed as a company's own jobs would.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import psycopg

COLUMNS = {
    "conversion_id": "text",
    "updated_at": "time",
    "event_name": "text",
    "event_time": "time",
    "email": "text",
    "phone": "text",
    "guid": "text",
    "first_party_id": "text",
    "order_id": "text",
    "value": "money",
    "currency": "text",
    "user_agent": "text",
}


def ago(**span: float) -> dt.datetime:
    """A moment in the past, to the microsecond."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(**span)


def conversion(number: int, **changes: Any) -> dict[str, Any]:
    """A good conversion; `updated_at` is a day ago and later with the number."""
    row = {
        "conversion_id": f"c{number:06d}",
        "updated_at": ago(days=1) + dt.timedelta(milliseconds=number),
        "event_name": "Purchase",
        "event_time": ago(days=1, hours=1),
        "email": f"person{number}@shop.example.org",
        "value": "9.50",
        "currency": "USD",
    }
    return {**row, **changes}


class TestWarehouse(ABC):
    """A database of one kind. url: what a YAML would say."""

    kind: str
    url: str
    types: dict[str, str]

    def create(self, **types: str) -> None:
        """Make the table. types: column -> SQL type, where it is not the usual one."""
        columns = ", ".join(
            f"{name} {types.get(name, self.types[kind])}" for name, kind in COLUMNS.items()
        )
        self.execute(f"create table conversions ({columns})")

    def insert(self, *rows: dict[str, Any]) -> None:
        """Add rows and commit."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.execute_many(
            (
                f"insert into conversions ({', '.join(names)}) values "
                f"({', '.join([self.mark] * len(names))})"
            ),
            [tuple(self.adapt(row.get(name)) for name in names) for row in rows],
        )

    mark = "?"

    def adapt(self, value: Any) -> Any:
        """A Python value as this database keeps it."""
        return value

    @abstractmethod
    def execute(self, sql: str, *parameters: Any) -> None: ...

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None: ...


class DuckDb(TestWarehouse):
    kind = "duckdb"
    types = {"text": "varchar", "time": "timestamptz", "money": "decimal(12, 2)"}

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"
        self.url = f"duckdb:///{self.path}"

    def execute(self, sql: str, *parameters: Any) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("begin")
            connection.executemany(sql, rows)
            connection.execute("commit")


class Sqlite(TestWarehouse):
    kind = "sqlite"
    types = {"text": "text", "time": "text", "money": "numeric"}

    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.sqlite"
        self.url = f"sqlite:///{self.path}"

    def adapt(self, value: Any) -> Any:
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, dt.datetime) else value

    def execute(self, sql: str, *parameters: Any) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(sql, parameters)
        connection.close()

    def execute_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.executemany(sql, rows)
        connection.close()


class PostgreSql(TestWarehouse):
    kind = "postgresql"
    types = {"text": "text", "time": "timestamptz", "money": "numeric(12, 2)"}
    mark = "%s"

    def __init__(self, uri: str) -> None:
        self.url = uri

    def execute(self, sql: str, *parameters: Any) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql, parameters)  # type: ignore[arg-type]

    def execute_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.executemany(sql, rows)  # type: ignore[arg-type]
