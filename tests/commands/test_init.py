"""A destination is begun from the warehouse's own columns, and works once its variables are set."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.commands.check import check
from connector.commands.init import init
from connector.commands.proposal import propose
from connector.commands.sync import sync
from connector.config.loader import load
from connector.errors import ConfigError, DestinationError
from connector.platforms import loader as platforms
from connector.sandbox.server import Receiver
from connector.source.tables import Kind, TableColumns
from connector.syntax import yaml as strict_yaml
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, TestWarehouse, conversion


def set_variables(patch: pytest.MonkeyPatch, file: Path, **known: str) -> None:
    """Set each environment variable that a YAML file names."""
    for name in re.findall(r"^[^#\n]*env:(\w+)", file.read_text(), re.MULTILINE):
        if name != "WAREHOUSE_URL":
            ends = [value for end, value in known.items() if name.endswith(end.upper())]
            patch.setenv(name, ends[0] if ends else "12345")


def test_what_is_written_is_checked_and_delivers(
    project: Project, warehouse: TestWarehouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.insert(*(conversion(number) for number in range(3)))
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url)
    begun = init("acme", platform="capi", table="conversions", folder=project.root)
    assert {"email": "email", "event_name": "event_name", "value": "value"}.items() <= (
        begun.mapped.items()
    )
    assert "consent" in begun.missing
    assert begun.findings.errors, "variables are not set yet"
    assert all(each.line > 0 for each in begun.findings.errors)
    endpoint = f"{receiver.url}/signal/v1/conversion"
    set_variables(monkeypatch, begun.file, endpoint=endpoint, token=TOKEN, key="abc123def456")
    begun.file.write_text(begun.file.read_text().replace("start: now", "start: all"))
    assert check(begun.file).errors == []
    assert sync(begun.file).delivered == 3


def test_other_names_and_prefixes_are_known(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", duck.url)
    duck.execute(
        "create table orders (order_number varchar primary key, modified_at timestamp,"
        " customer_email varchar, user_ip varchar, total decimal(12, 2), zip varchar, note varchar)"
    )
    begun = init("acme", platform="meta", table="main.orders", folder=project.root)
    assert begun.mapped == {
        "order_id": "order_number",
        "value": "total",
        "email": "customer_email",
        "postal_code": "zip",
        "client_ip": "user_ip",
    }
    text, query = begun.file.read_text(), begun.query.read_text()
    assert "cursor: modified_at" in text
    assert "key: order_number" in text
    assert "time_zone: UTC" in text, "its times have no zone"
    assert "customer_email as email" in query
    assert "-- Not selected: note" in query
    connection = duckdb.connect(str(duck.path), read_only=True)
    assert connection.execute(query).fetchall() == []


@pytest.mark.parametrize("platform", platforms.names())
def test_a_file_for_each_platform_has_what_it_needs(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", duck.url)
    begun = init("acme", platform=platform, table="conversions", folder=project.root)
    set_variables(monkeypatch, begun.file, endpoint="https://px.dsp.example/x")
    assert load(begun.file).name == "acme"


def test_what_cannot_be_begun_says_why(
    project: Project, duck: DuckDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", duck.url)
    for arguments, words in (
        ({"table": "nothing"}, "no table or view nothing"),
        ({"warehouse": "env:NOT_SET", "table": "x"}, "NOT_SET is not set"),
        ({"warehouse": "duckdb:///none.duckdb", "table": "x"}, "there is no DuckDB file"),
    ):
        with pytest.raises(ConfigError, match=words):
            init("acme", platform="capi", folder=project.root, **arguments)
    with pytest.raises(ConfigError, match="is no name of a folder"):
        init("../up", platform="capi", folder=project.root)
    with pytest.raises(DestinationError, match="metta"):
        init("acme", platform="metta", folder=project.root)
    assert not project.path("acme").exists(), "nothing is left behind"
    init("acme", platform="capi", folder=project.root)
    with pytest.raises(ConfigError, match="is there already"):
        init("acme", platform="capi", folder=project.root)
    with pytest.raises(ConfigError, match="there is no project here"):
        init("acme", platform="capi", folder=tmp_path)


def test_the_command_lists_what_is_left_to_do(
    project: Project, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", duck.url)
    told = project.capi("init", "acme", "--platform", "capi", "--table", "conversions", check=True)
    assert "ACME_ENDPOINT is not set" in told.out
    assert "capi check acme" in told.out
    other = project.capi("init", "other", "--platform", "capi", "--json", check=True).json()
    assert list(other) == ["file", "query", "mapped", "missing", "check"]


def test_a_key_that_no_yaml_can_hold_is_told() -> None:
    with pytest.raises(ConfigError, match="letters, digits"):
        propose(
            "acme",
            "meta",
            platforms.load("meta"),
            yaml_type="t",
            warehouse="env:W",
            table="t",
            found=TableColumns({}, ("no name",)),
        )


NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=12)
KINDS: list[Kind] = ["zoned", "naive", "integer", "other"]


@given(st.dictionaries(NAMES, st.sampled_from(KINDS), min_size=1, max_size=8))
def test_any_names_of_columns_give_sql_and_yaml(kinds: dict[str, Kind]) -> None:
    kinds |= {"updated_at": "zoned", "conversion_id": "other"}
    if len({name.lower() for name in kinds}) < len(kinds):
        return  # one column, to DuckDB
    found = propose(
        "acme",
        "meta",
        platforms.load("meta"),
        yaml_type="t",
        warehouse="env:W",
        table="a table",
        found=TableColumns(kinds, ()),
    )
    assert isinstance(strict_yaml.load(found.yaml, "defs.yaml").value, dict)
    columns = ", ".join('"' + name.replace('"', '""') + '" varchar' for name in kinds)
    with duckdb.connect() as connection:
        connection.execute(f'create table "a table" ({columns})')
        assert connection.execute(found.query).fetchall() == []


def test_an_address_that_is_none_shows_nothing_of_its_password(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy takes what follows the colon for a port, and repeats it."""
    monkeypatch.setenv("WAREHOUSE_URL", "postgresql://user:p@zqx:wvk@host/db")
    with pytest.raises(ConfigError) as caught:
        init("acme", platform="capi", table="conversions", folder=project.root)
    assert "wvk" not in str(caught.value)
    assert "is not a SQLAlchemy URL" in str(caught.value)
