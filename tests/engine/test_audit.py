"""The audit: a file a run that says of each row what became of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet as pq
import pytest

from connector.commands.check import check
from connector.commands.erase import erase
from connector.commands.replay import replay
from connector.commands.resolve import resolve
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.engine.audit_files import SCHEMA
from connector.engine.plan import Options
from connector.errors import DestinationError
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.clock import FakeClock
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, Sqlite, TestWarehouse, ago, conversion

AUDIT = {"path": "audit"}


def files(project: Project) -> list[Path]:
    """The audit's files, the oldest run first."""
    return sorted(
        project.root.glob("audit/acme/*/*.parquet"), key=lambda path: path.stat().st_mtime
    )


def entries(project: Project) -> list[dict[str, Any]]:
    """All entries, in the order of runs and rows."""
    return [row for path in files(project) for row in pq.read_table(path).to_pylist()]


def by_key(rows: list[dict[str, Any]], *names: str) -> dict[str, tuple[Any, ...]]:
    """Key -> values of these columns."""
    return {row["key"]: tuple(row[name] for name in names) for row in rows}


def test_a_run_writes_one_file_that_says_what_became_of_each_row(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    moment = ago(days=1).replace(microsecond=0)
    warehouse.insert(
        conversion(1, event_time=moment),
        conversion(2, email=None),
        conversion(3, event_time=ago(days=200)),
    )
    made = destination(audit=AUDIT, overrides={"windows": {"max_age": "90d"}})
    report = sync(made)
    [file] = files(project)
    assert pq.read_schema(file).names == SCHEMA.names
    rows = entries(project)
    assert {(row["destination"], row["platform"], row["run_id"]) for row in rows} == {
        ("acme", "capi", report.run_id)
    }
    assert by_key(rows, "state", "reason", "http_status", "attempt") == {
        "c000001": ("delivered", None, 200, 1),
        "c000002": ("rejected", "no_identity", None, 1),
        "c000003": ("expired", "expired", None, 1),
    }
    delivered, refused, _ = rows
    assert (delivered["event_name"], delivered["event_time"]) == ("Purchase", moment)
    assert len(delivered["event_id"]) == 64
    assert (delivered["request"], refused["request"]) == (1, None)
    assert "capi lint-identifiers" in refused["remedy"]
    assert delivered["first_seen"] <= delivered["settled_at"]
    assert "shop.example.org" not in str(rows), "no identifier"
    assert "audit_waiting" not in status(made).to_json()
    assert sync(made).rows_read == 0
    assert files(project) == [file], "a run that finds nothing writes nothing"


def test_a_platforms_refusal_has_its_code_and_the_request(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    made = duck_destination(audit=AUDIT, delivery={"concurrency": 1})
    receiver.script.add(Fault(status=503, times=1))
    receiver.script.add(Fault(status=400, times=1, body={"error": "bad currency"}))
    sync(made)
    rows = entries(project)
    assert sorted(row["http_status"] for row in rows) == [200, 200, 400]
    [refused] = [row for row in rows if row["state"] == "rejected"]
    assert (refused["reason"], refused["code"]) == ("platform_rejected", "400")
    numbers = sorted(row["request"] for row in rows)
    assert len(set(numbers)) == 3
    assert numbers[-1] == 4, "the one that was tried again counts, too"
    sync(made, options=Options(replay_rejected=True))
    again = entries(project)[3:]
    assert [(row["key"], row["state"], row["attempt"]) for row in again] == [
        (refused["key"], "delivered", 2)
    ]
    assert again[0]["first_seen"] == pytest.approx(
        refused["first_seen"], abs=dt.timedelta(seconds=5)
    )


def test_batches_keep_their_rows_apart(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Many pages with refused rows among them: each entry is about its own row."""
    duck.insert(
        *(
            conversion(number, email=None if number % 7 == 3 else f"p{number}@shop.example.org")
            for number in range(60)
        )
    )
    duck_destination()
    project.write(
        "env:WAREHOUSE_URL",
        receiver.url,
        audit=AUDIT,
        platform="meta",
        account={"pixel_id": "1234567890"},
        delivery={"batch_size": 9},
        constants={"action_source": "physical_store"},
    )
    made = project.load()
    report = sync(made, options=Options(limit=50))
    rows = entries(project)
    assert (report.rows_read, len(rows)) == (50, 50)
    assert {row["key"]: row["state"] == "rejected" for row in rows} == {
        f"c{number:06d}": number % 7 == 3 for number in range(50)
    }


def test_what_a_person_decides_is_in_it(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination(audit=AUDIT)
    sync(made)
    before = files(project)
    erasure = erase(made, key=("c000002",))
    *_, erased = entries(project)
    assert (len(erased["key"]), erased["state"], erased["reason"]) == (32, "erased", "erased")
    assert [path.name for path in erasure.still_in] == [path.name for path in before]
    assert (erased["attempt"], erased["run_id"].startswith("erase-")) == (1, True)
    assert resolve(made, ambiguous="delivered").rows == 0
    assert len(files(project)) == 2, "nothing was decided, so there is nothing to write"


def test_keys_of_people_are_hashed(project: Project, duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email="other@shop.example.org"))
    made = duck_destination(audit=AUDIT, source__key="email")
    sync(made)
    erase(made, key=("other@shop.example.org",))
    first, second, erased = entries(project)
    assert {len(first["key"]), len(second["key"])} == {32}
    assert erased["key"] in (first["key"], second["key"]), "the same row has the same hash"
    assert "@" not in str(entries(project))


def test_an_event_name_or_id_that_holds_an_address_is_left_out(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    project.query("select *, email as event_id from conversions")
    duck.insert(conversion(1), conversion(2, event_name="mail of jane@shop.example.org"))
    made = duck_destination(audit=AUDIT)
    sync(made)
    assert len(entries(project)) == 2
    assert "@" not in str(entries(project))


def test_several_key_columns_are_one_text(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    sync(duck_destination(audit=AUDIT, source__key=["conversion_id", "event_name"]))
    assert entries(project)[0]["key"] == "c000001 Purchase"


@pytest.mark.parametrize("failpoint", ["after_commit:2", "before_settle", "audit_written"])
def test_a_run_that_is_killed_is_made_up_for_by_the_next(
    project: Project, duck_destination: Make, duck: DuckDb, failpoint: str
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    made = duck_destination(audit=AUDIT)
    killed = project.capi("sync", "acme", CAPI_FAILPOINT=failpoint)
    assert killed.code == -9, killed
    assert files(project) == []
    found = status(made)
    assert found.audit_waiting + found.backlog == 5, "an entry for each row that is recorded"
    assert found.backlog == 0 or failpoint == "after_commit:2"
    duck.insert(conversion(9))
    report = sync(made)
    rows = entries(project)
    assert len(rows) == len(by_key(rows)) == 6
    assert {row["run_id"] for row in rows if row["key"] == "c000009"} == {report.run_id}
    assert len({row["run_id"] for row in rows}) == (2 if found.audit_waiting else 1)
    assert status(made).audit_waiting == 0
    leftover = [path for path in project.root.glob("audit/acme/*/*") if path.suffix != ".parquet"]
    assert len(leftover) == (failpoint == "audit_written"), "hidden, and gone with its day"


def test_what_cannot_be_written_waits_and_the_run_is_good(
    project: Project, duck_destination: Make, duck: DuckDb, caplog: pytest.LogCaptureFixture
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(audit=AUDIT)
    (project.root / "audit").write_text("a file, no folder")
    assert sync(made).complete
    assert status(made).to_json()["audit_waiting"] == 1
    [warning] = [each.getMessage() for each in caplog.records if "audit" in each.getMessage()]
    assert "wait in the state for the next run; check audit.path" in warning
    assert "rows that wait for the audit" in project.capi("status", "acme", check=True).out
    (project.root / "audit").unlink()
    assert sync(made).rows_read == 0
    assert len(entries(project)) == 1


def test_files_past_retention_go(
    project: Project, duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(monkeypatch, dt.datetime.now(dt.UTC) - dt.timedelta(days=100))
    made = duck_destination(audit={**AUDIT, "retention": "30d"})
    days = []
    for number in range(3):
        times = {"updated_at": clock.ago(hours=1), "event_time": clock.ago(hours=2)}
        duck.insert(conversion(number, **times))
        sync(made)
        days.append(clock.now.date().isoformat())
        clock.advance(days=14)
    kept = project.root / "audit" / "acme" / "notes"
    kept.mkdir()
    sync(made)
    assert sorted(path.name for path in kept.parent.iterdir()) == [*days[1:], "notes"]


def test_a_run_without_a_trace_writes_nothing(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(audit=AUDIT)
    sync(made, options=Options(dry_run=True))
    assert files(project) == []


def test_a_path_that_cannot_be_is_found_by_check(
    project: Project, duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(conversion(1))
    [problem] = check(duck_destination(audit={"path": "ftp://host/folder"})).errors
    assert "audit.path cannot be opened" in problem.message
    assert problem.line
    with pytest.raises(DestinationError, match="holds a password"):
        duck_destination(audit={"path": "s3://key:hidden@bucket/audit"})
    monkeypatch.setenv("AUDIT_PATH", str(project.root / "elsewhere"))
    made = duck_destination(audit={"path": "env:AUDIT_PATH"})
    assert check(made).errors == []
    sync(made)
    assert len(list(project.root.glob("elsewhere/acme/*/*.parquet"))) == 1


def test_a_replayed_row_and_one_that_is_refused_again_count_their_tries(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1, email=None), conversion(2, email=None))
    made: Destination = duck_destination(audit=AUDIT)
    sync(made)
    duck.execute(
        "update conversions set email = 'x@shop.example.org' where conversion_id = 'c000002'"
    )
    replay(made)
    assert by_key(entries(project)[2:], "state", "attempt") == {
        "c000001": ("rejected", 2),
        "c000002": ("delivered", 2),
    }


def table_rows(warehouse: TestWarehouse, table: str = "capi_audit") -> list[tuple[str, str, str]]:
    """Key, state and run of each row of the warehouse's table."""
    sql = f"select key, state, run_id from {table} order by settled_at, key"
    if isinstance(warehouse, DuckDb):
        with duckdb.connect(str(warehouse.path)) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(warehouse.url) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]


def test_the_same_rows_are_in_a_table_of_the_warehouse(
    project: Project, destination: Make, warehouse: TestWarehouse
) -> None:
    warehouse.insert(conversion(1), conversion(2, email=None))
    made = destination(audit={**AUDIT, "table": "capi_audit"})
    if isinstance(warehouse, Sqlite):
        [problem] = check(made).errors
        assert "audit.table needs DuckDB or PostgreSQL" in problem.message
        return
    assert check(made).errors == []
    report = sync(made)
    rows = [("c000001", "delivered", report.run_id), ("c000002", "rejected", report.run_id)]
    assert table_rows(warehouse) == rows
    warehouse.insert(conversion(3))
    again = sync(made)
    assert table_rows(warehouse) == [*rows, ("c000003", "delivered", again.run_id)]
    assert len(entries(project)) == 3


def test_a_table_that_cannot_be_written_waits_and_has_each_row_once(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*(conversion(number) for number in range(5)))
    made = duck_destination(audit={**AUDIT, "table": "capi_audit"})
    duck.execute("create table capi_audit (nothing integer)")
    sync(made)
    assert (status(made).audit_waiting, len(files(project))) == (5, 1)
    duck.execute("drop table capi_audit")
    sync(made)
    assert (len(table_rows(duck)), len(files(project)), status(made).audit_waiting) == (5, 1, 0)
    assert len(by_key(entries(project))) == 5


@pytest.mark.parametrize("warehouse", ["duckdb", "postgresql"], indirect=True)
def test_old_rows_of_the_table_go(
    project: Project, destination: Make, warehouse: TestWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.execute("create schema audit")
    clock = FakeClock(monkeypatch, dt.datetime.now(dt.UTC) - dt.timedelta(days=100))
    table = "audit.capi"
    made = destination(audit={**AUDIT, "retention": "30d", "table": table})
    for number in range(2):
        times = {"updated_at": clock.ago(hours=1), "event_time": clock.ago(hours=2)}
        warehouse.insert(conversion(number, **times))
        sync(made)
        clock.advance(days=20)
    sync(made)
    assert [key for key, *_ in table_rows(warehouse, table)] == ["c000001"]
