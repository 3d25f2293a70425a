"""`capi check` and `capi data-map`: what leaves, for engineers and for privacy officers."""

from __future__ import annotations

import csv
import io

import pytest

import connector
from connector.errors import DestinationError
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

ENDPOINT = "https://px.dsp.example/conversion"


def test_check_lists_what_the_query_would_send(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1))
    destination = duck_destination(identifiers=["HashedEmail", "Guid"])
    sends = connector.check(destination).sends
    assert ("ids.id", "email", "hashed") in {(each.field, each.column, each.form) for each in sends}
    assert "phone" not in {each.column for each in sends}
    assert project.capi("check", "acme", check=True).out.count("hashed") >= 2
    shown = project.capi("check", "acme", "--json", check=True).json()
    assert shown["sends"] == [each.to_json() for each in sends]


def test_the_map_holds_every_destination_and_says_what_it_is_based_on(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1))
    duck_destination(identifiers=["HashedEmail"])
    project.write(f"duckdb:///{project.root}/none.duckdb", ENDPOINT, "other", identifiers=["Email"])
    found = connector.data_map(project.root)
    assert {(each.destination, each.host, each.basis) for each in found} == {
        ("acme", "127.0.0.1", "query"),
        ("other", "px.dsp.example", "yaml"),
    }
    assert {each.sent.form for each in found if each.sent.column == "email"} == {"hashed", "plain"}
    assert "constant" not in {each.sent.form for each in found}
    shown = project.capi("data-map", "--json", check=True).lines()
    assert shown == [each.to_json() for each in found]


def test_the_map_is_a_table_for_other_programs(project: Project) -> None:
    project.write("env:NOT_SET", ENDPOINT, identifiers=["Email"])
    printed = project.capi("data-map", "--format", "csv", check=True).out
    rows = list(csv.DictReader(io.StringIO(printed)))
    (email,) = [row for row in rows if row["column"] == "email"]
    assert (email["field"], email["form"], email["basis"]) == ("ids.id", "plain", "yaml")
    lines = project.capi("data-map", "--format", "markdown", check=True).out.splitlines()
    assert lines[0].startswith("| destination | platform | host | field |")
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert len(lines) == 2 + len(rows)
    assert "email" in project.capi("data-map", check=True).out


def test_a_map_without_one_of_the_destinations_would_mislead(project: Project) -> None:
    project.write("env:NOT_SET", ENDPOINT)
    project.write("env:NOT_SET", ENDPOINT, "other", identifiers=["Emial"])
    with pytest.raises(DestinationError, match="Emial"):
        connector.data_map(project.root)
    assert project.capi("data-map").code == 2
