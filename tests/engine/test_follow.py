"""`capi sync --follow`: rows are delivered as they are committed, in runs one after the other."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import connector
from connector.config.destination import Destination
from connector.engine import backlog, follow
from connector.engine.context import open_context
from connector.engine.run import take_lease
from connector.sandbox.server import Receiver, Settings, running
from connector.state import lease
from tests.conftest import Make
from tests.support.following import following, until
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, PostgreSql, ago, conversion


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is asked for again at once."""
    monkeypatch.setattr(follow, "LONGEST_PAUSE", 0.02)


def events(receiver: Receiver) -> int:
    """Different events that arrived; none of them twice."""
    found = receiver.inbox.summary()
    assert found["duplicates"] == 0
    return int(found["events"])


@pytest.fixture
def table(postgres: str, monkeypatch: pytest.MonkeyPatch) -> PostgreSql:
    """A warehouse that others write to while it is read."""
    made = PostgreSql(postgres)
    made.create()
    monkeypatch.setenv("WAREHOUSE_URL", made.url)
    return made


@pytest.fixture
def followable(
    project: Project, table: PostgreSql, receiver: Receiver
) -> Callable[..., Destination]:
    """A destination on it."""

    def make(**changes: object) -> Destination:
        url = f"{receiver.url}/signal/v1/conversion"
        project.write("env:WAREHOUSE_URL", url, **{"source__lag": "0s", **changes})
        return project.load()

    return make


def test_rows_are_delivered_as_they_are_committed_over_one_connection(
    table: PostgreSql,
    followable: Callable[..., Destination],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And each run has its report; together they account for all rows."""
    monkeypatch.setattr(follow, "REPORT_SECONDS", 0.1)
    table.insert(conversion(0))
    made = followable()
    with following(made) as followed:
        for number in range(1, 6):
            until(lambda number=number: events(receiver) == number)
            seen = len(followed.reports)
            until(lambda seen=seen: len(followed.reports) > seen)
            table.insert(conversion(number))
        until(lambda: events(receiver) == 6)
    assert followed.error is None
    assert len(followed.reports) >= 6
    assert all(report.complete for report in followed.reports)
    assert followed.totals("delivered") == followed.totals("rows_read") == 6
    assert len({report.run_id for report in followed.reports}) == len(followed.reports)
    assert followed.last == followed.reports[-1]
    assert connector.status(made).backlog == 0
    assert connector.sync(made).rows_read == 0


def test_the_lease_passes_from_run_to_run_and_nobody_comes_between(
    table: PostgreSql, followable: Callable[..., Destination], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the sensor that polls leaves a followed destination alone, at every moment."""
    monkeypatch.setattr(follow, "REPORT_SECONDS", 0.0)
    table.insert(conversion(1))
    made = followable()
    with following(made) as followed, open_context(made) as context:
        until(lambda: followed.reports)
        context.destination_id = 1
        holders = set()
        while len(followed.reports) < 20:
            assert followed.error is None
            assert followed.last is None
            holders.add(backlog.run_at_work(context))
        assert None not in holders
        with pytest.raises(connector.LeaseHeld):
            connector.sync(made)
    with open_context(made) as context:
        assert backlog.run_at_work(context) is None


def test_a_file_is_free_for_others_between_two_rounds(
    duck: DuckDb, duck_destination: Make, receiver: Receiver
) -> None:
    """DuckDB lets nobody write to a file that a process has open."""
    duck.insert(conversion(0))
    with following(duck_destination(source__lag="0s"), every=0.3) as followed:
        until(lambda: events(receiver) == 1)
        until(lambda: _inserts(duck, 1))
        until(lambda: events(receiver) == 2)
    assert followed.error is None


def _inserts(duck: DuckDb, number: int) -> bool:
    try:
        duck.insert(conversion(number))
    except Exception:  # noqa: BLE001  it is open
        return False
    return True


def test_a_lost_platform_is_waited_out(
    table: PostgreSql, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Settings(port=0, token=TOKEN)) as first:
        port = int(first.url.rpartition(":")[2])
        endpoint = f"{first.url}/signal/v1/conversion"
        project.write("env:WAREHOUSE_URL", endpoint, source__lag="0s", delivery={"timeout": "2s"})
        made = project.load()
        table.insert(conversion(1))
        stack = following(made)
        followed = stack.__enter__()
        until(lambda: events(first) == 1)
    try:
        table.insert(conversion(2))
        until(lambda: [report for report in followed.reports if report.failure])
        with running(Settings(port=port, token=TOKEN)) as second:
            until(lambda: events(second) == 1)
            followed.stop.set()
            until(lambda: followed.last)
    finally:
        stack.__exit__(None, None, None)
    assert followed.error is None
    assert followed.last.complete
    assert followed.totals("delivered") == 2


def test_a_lost_warehouse_is_waited_out(
    table: PostgreSql, followable: Callable[..., Destination], receiver: Receiver, postgres: str
) -> None:
    """Its sessions are ended, and for a while nobody may connect."""
    table.insert(conversion(1))
    name = postgres.partition("?")[0].rpartition("/")[2]
    shop, server = sql.Identifier(name), postgres.replace(f"/{name}?", "/postgres?")
    with following(followable()) as followed, psycopg.connect(server, autocommit=True) as admin:
        until(lambda: events(receiver) == 1)
        admin.execute(sql.SQL("alter database {} with allow_connections false").format(shop))
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        until(lambda: len([each for each in followed.reports if each.failure]) >= 2)
        admin.execute(sql.SQL("alter database {} with allow_connections true").format(shop))
        table.insert(conversion(2))
        until(lambda: events(receiver) == 2)
    failures = {each.failure.kind for each in followed.reports if each.failure}
    assert failures == {"WarehouseError"}
    assert followed.error is None
    assert followed.last.complete


def test_another_run_is_waited_for(
    table: PostgreSql,
    followable: Callable[..., Destination],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table.insert(conversion(1))
    made = followable()
    with open_context(made) as context:
        held = take_lease(context, "another")
        with following(made) as followed:
            until(lambda: followed.reports)
            assert followed.reports[0].failure.kind == "LeaseHeld"
            assert events(receiver) == 0
            with context.store.write() as connection:
                lease.release(connection, held)
            until(lambda: events(receiver) == 1)
    assert followed.error is None


def test_what_a_person_must_change_ends_it(
    table: PostgreSql, followable: Callable[..., Destination], receiver: Receiver
) -> None:
    """Such as a guard: far more rows than may be sent at once."""
    table.insert(conversion(1))
    made = followable(delivery={"max_rows_per_run": 2})
    with following(made) as followed:
        until(lambda: events(receiver) == 1)
        table.insert(*(conversion(number) for number in range(2, 6)))
        until(lambda: followed.last)
    assert followed.last.failure.kind == "GuardRail"
    assert followed.reports[-1] == followed.last
    assert events(receiver) == 1
    with open_context(made) as context:
        assert backlog.run_at_work(context) is None


def test_a_backlog_stops_between_two_pages_and_the_next_run_goes_on(
    table: PostgreSql, followable: Callable[..., Destination], receiver: Receiver
) -> None:
    table.insert(*(conversion(number) for number in range(3_000)))
    made = followable(delivery={"concurrency": 1, "slice_rows": 100, "rate": "500/s"})
    with following(made) as followed:
        until(lambda: events(receiver) > 0)
    assert followed.last.failure.kind == "RunStopped"
    delivered = followed.last.delivered
    assert 0 < delivered == events(receiver) < 3_000
    rest = connector.sync(followable(delivery={"slice_rows": 100}))
    assert (delivered + rest.delivered, events(receiver)) == (3_000, 3_000)


def test_late_rows_are_looked_for_now_and_then(
    table: PostgreSql,
    followable: Callable[..., Destination],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(follow, "LOOK_BACK_SECONDS", 0.0)
    table.insert(conversion(5))
    with following(followable()) as followed:
        until(lambda: events(receiver) == 1)
        table.insert(conversion(3, updated_at=ago(days=1, hours=2)))
        until(lambda: events(receiver) == 2)
    assert followed.totals("late") == 1


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"limit": 5}, "takes no option but yes"),
        ({"platform_test_mode": True}, {}, "test mode records nothing"),
        ({"every": 0}, {}, "must be longer than 0s"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    duck_destination: Make, changes: dict[str, object], options: dict[str, int], message: str
) -> None:
    made = duck_destination()
    every = dt.timedelta(seconds=int(changes.pop("every", 1)))  # type: ignore[call-overload]
    if changes:
        made = _in_test_mode(made)
    with pytest.raises(connector.ConfigError, match=message):
        connector.follow(
            made,
            every=every,
            stop=threading.Event(),
            on_report=lambda _: None,
            options=connector.Options(**options),
        )


def _in_test_mode(made: Destination) -> Destination:
    model = made.model.model_copy(update={"test_mode": "TEST1"})
    return made.__class__(**{**vars(made), "model": model})


def open_files() -> int:
    """File handles of this process."""
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def rounds(
    table: PostgreSql, made: Destination, receiver: Receiver, number: int
) -> tuple[list[int], list[int], list[int]]:
    """File handles, threads and memory after each tenth of so many rounds with a row each."""
    files, threads, memory = [], [], []
    with following(made, every=0.001) as followed:
        for row in range(number):
            table.insert(conversion(row))
            until(lambda row=row: events(receiver) > row)
            if (row + 1) % (number // 10) == 0:
                seen = len(followed.reports)
                until(lambda seen=seen: len(followed.reports) > seen)
                files.append(open_files())
                threads.append(threading.active_count())
                memory.append(resident())
    assert followed.error is None
    return files, threads, memory


def test_handles_and_threads_are_flat(
    table: PostgreSql,
    followable: Callable[..., Destination],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "REPORT_SECONDS", 0.05)
    files, threads, _ = rounds(table, followable(), receiver, 100)
    assert max(files[2:]) <= max(files[:2]) + 2, files
    assert max(threads[2:]) <= max(threads[:2]) + 2, threads


@pytest.mark.soak
def test_memory_and_handles_are_flat_over_ten_thousand_rounds(
    table: PostgreSql,
    followable: Callable[..., Destination],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follow, "REPORT_SECONDS", 1.0)
    files, threads, memory = rounds(table, followable(), receiver, 10_000)
    print(f"handles {files}, threads {threads}, MB {[each // 1_000_000 for each in memory]}")
    assert max(files[2:]) <= max(files[:2]) + 2, files
    assert max(threads[2:]) <= max(threads[:2]) + 2, threads
    assert memory[-1] <= memory[1] * 1.1, memory
