"""The roles of `docs/security.md` allow what the connector needs, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from connector.commands.check import check
from connector.commands.status import status
from connector.commands.sync import sync
from connector.sandbox.server import Receiver
from scripts.docs import ROOT
from tests.support.projects import Project
from tests.support.warehouses import PostgreSql, conversion

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROLES = ("capi_reader", "capi_state")


def statements(database: str) -> list[list[str]]:
    """The blocks of SQL in a database's section, cut into statements."""
    section = PAGE.partition(f"\n### {database}\n")[2].partition("\n### ")[0]
    blocks = re.findall(r"^```sql\n(.+?)^```", section, re.M | re.S)
    return [[each for each in block.split(";\n") if each.strip()] for block in blocks]


@pytest.mark.parametrize(
    "database", ["PostgreSQL", "Snowflake", "BigQuery", "Databricks", "Redshift"]
)
def test_every_warehouse_has_a_role_that_reads_one_view(database: str) -> None:
    grants = [each for block in statements(database) for each in block if each.startswith("grant")]
    assert any("marketing.conversions" in each for each in grants)
    for each in grants:
        assert not re.search(r"\b(all|insert|update|delete|create|owner)\b", each), each


@pytest.fixture
def as_owner(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection
        connection.execute("drop database if exists capi_state with (force)")
        for role in ROLES:
            connection.execute(f"drop owned by {role}; drop role {role}")  # type: ignore[arg-type]


def test_the_reader_of_postgresql_delivers_and_can_change_nothing(
    postgres: str,
    as_owner: psycopg.Connection,
    project: Project,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warehouse = PostgreSql(postgres)
    warehouse.create()
    warehouse.insert(conversion(1), conversion(2))
    as_owner.execute("create schema marketing")
    as_owner.execute("create view marketing.conversions as select * from public.conversions")
    reader, state = statements("PostgreSQL")
    for each in (*reader, *state):
        as_owner.execute(each.replace("WAREHOUSE", as_owner.info.dbname))  # type: ignore[arg-type]
    as_reader = postgres.replace("//postgres:@", "//capi_reader@")
    assert as_reader != postgres
    monkeypatch.setenv("WAREHOUSE_URL", as_reader)
    monkeypatch.setenv(
        "CAPI_STATE_URL",
        postgres.replace("//postgres:@", "//capi_state@").replace(
            f"/{as_owner.info.dbname}?", "/capi_state?"
        ),
    )
    project.query("select * from marketing.conversions")
    project.write("env:WAREHOUSE_URL", f"{receiver.url}/signal/v1/conversion")
    assert check(project.load()).errors == []
    assert sync(project.load()).delivered == 2
    assert status(project.load()).mark is not None
    with psycopg.connect(as_reader, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        for attempt in (
            "select * from public.conversions",
            "delete from marketing.conversions",
            "create table marketing.made (a int)",
            "create table public.made (a int)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(attempt)  # type: ignore[arg-type]
