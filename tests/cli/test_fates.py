"""What became of rows, as the command line prints it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Make
from tests.support.fates import EARLY, rows_in_every_state
from tests.support.projects import Project
from tests.support.warehouses import DuckDb


@pytest.fixture(autouse=True)
def _every_state(project: Project, duck: DuckDb, duck_destination: Make) -> None:
    rows_in_every_state(project, duck, duck_destination)


def test_report_prints_lines_tables_and_files(project: Project) -> None:
    lines = project.capi("report", "acme", "--since", "30d", "--json", check=True).lines()
    assert list(lines[0]) == [
        *("day", "warehouse", "delivered", "rejected", "expired", "suppressed", "difference"),
        *("waiting", "missing", "ambiguous", "erased"),
    ]
    assert (lines[0]["day"], lines[0]["warehouse"]) == (EARLY.date().isoformat(), 5)
    assert "difference" in project.capi("report", "acme", check=True).out
    names = project.capi("report", "acme", "--by", "event_name", "--format", "csv", check=True).out
    assert [row["warehouse"] for row in csv.DictReader(io.StringIO(names))] == ["2", "7"]
    for wrong in (["--by", "hour"], ["--since", "long"], ["--format", "xml"]):
        done = project.capi("report", "acme", *wrong)
        assert (done.code, done.out) == (2, ""), done


def test_show_tells_the_history_of_one_row(project: Project) -> None:
    found = project.capi("show", "acme", "--key", "c000003", "--json", check=True).json()
    assert list(found) == [
        *("destination", "key", "state", "cursor", "quarantine", "events", "next", "warning")
    ]
    assert (found["key"], found["state"]) == ("c000003", "rejected")
    assert found["quarantine"]["reason"] == "no_identity"
    people = project.capi("show", "acme", "--key", "c000003", check=True).out
    assert "no identifier that the platform accepts" in people
    assert "set aside: no_identity" in people
    assert "nothing happened to it yet" in project.capi("show", "acme", "--key", "x").out


def parquet(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """The rows of a Parquet file that a command wrote."""
    file = project.root / "out.parquet"
    project.capi(*arguments, "--format", "parquet", "--output", str(file), check=True)
    table: pa.Table = pq.read_table(file)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_lists_of_rows_in_every_format(project: Project) -> None:
    [old] = project.capi("expired", "acme", "--since", "7d", "--json", check=True).lines()
    assert list(old) == ["key", "cursor", "state", "reason", "message", "recorded_at"]
    assert (old["key"], old["reason"]) == ("c000004", "expired")
    assert parquet(project, "expired", "acme") == [{**old, "key": ["c000004"]}]
    [held] = csv.DictReader(
        io.StringIO(project.capi("suppressed", "acme", "--format", "csv", check=True).out)
    )
    assert held["key"] == "c000006"
    [refused] = parquet(project, "rejected", "acme", "--since", "1d")
    assert (refused["key"], refused["attempts"]) == (["c000003"], 1)
    assert project.capi("rejected", "acme", "--since", "0s", "--json", check=True).out == ""
    assert "c000006" in project.capi("suppressed", "acme", check=True).out
    file = project.root / "no folder" / "out.csv"
    lost = project.capi("rejected", "acme", "--format", "csv", "--output", str(file))
    assert (lost.code, "cannot be written" in lost.err) == (2, True)
