"""One runner a destination: who holds the lease,
when it ends, and why a runner that slept can do no harm.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connector.commands.status import status
from connector.commands.sync import sync
from connector.engine.backlog import run_at_work
from connector.engine.context import RunContext, open_context
from connector.engine.registration import register
from connector.errors import Fenced, LeaseHeld
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state import lease, watermark
from connector.state.lease import Lease, acquire, fence, hand_over, holder, release, renew
from connector.state.tables import lease as leases
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion


@pytest.fixture
def session(state: URL, duck_destination: Make) -> Iterator[RunContext]:
    """A destination that the state knows."""
    with open_context(duck_destination()) as opened:
        register(opened)
        yield opened


def take(session: RunContext, owner: str) -> Lease:
    with session.store.write() as connection:
        return acquire(connection, session.destination_id, owner)


def test_a_second_runner_is_refused_until_the_first_one_is_done(session: RunContext) -> None:
    first = take(session, "first")
    with pytest.raises(
        LeaseHeld,
        match=r"run first is at work on this destination; .* its lease to end in (59|60) s",
    ):
        take(session, "second")
    with session.store.write() as connection:
        assert holder(connection, session.destination_id) == "first"
        release(connection, first)
        assert holder(connection, session.destination_id) is None
    assert take(session, "second").token == first.token + 1


def test_a_lease_that_was_given_back_cannot_be_prolonged(session: RunContext) -> None:
    held = take(session, "first")
    with session.store.write() as connection:
        assert renew(connection, held)
        release(connection, held)
        assert not renew(connection, held)
        assert not hand_over(connection, held)
        assert holder(connection, session.destination_id) is None


def test_a_process_that_ended_holds_nothing(
    session: RunContext, project: Project, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    assert project.capi("sync", "acme", CAPI_FAILPOINT="after_plan").code < 0
    assert run_at_work(session) is None
    take(session, "next")


def test_between_two_steps_the_lease_is_held_by_no_process_and_lasts_longer(
    session: RunContext,
) -> None:
    held = take(session, "first")
    with session.store.write() as connection:
        assert hand_over(connection, held)
        row = connection.execute(sa.select(leases)).one()
        left = (row.expires_at - lease.clock_us(connection)) / 1e6
    assert (row.process, row.owner) == (None, "first")
    assert lease.SECONDS < left <= lease.IDLE_SECONDS
    with pytest.raises(LeaseHeld):
        take(session, "second")


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_a_lease_ends_by_the_clock_of_the_store(
    session: RunContext, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """Clocks of runners may be wrong; they all ask the same database."""
    moment, moment_ns = time.time(), time.time_ns()
    monkeypatch.setattr(time, "time", lambda: moment + ahead)
    monkeypatch.setattr(time, "time_ns", lambda: moment_ns + ahead * 10**9)
    take(session, "first")
    with pytest.raises(LeaseHeld):
        take(session, "second")
    with session.store.write() as connection:
        connection.execute(leases.update().values(expires_at=lease.clock_us(connection) - 1))
    assert take(session, "second").owner == "second"


def test_a_runner_whose_lease_was_taken_over_can_neither_record_nor_move_the_mark(
    session: RunContext,
) -> None:
    first = take(session, "first")
    with session.store.write() as connection:
        connection.execute(leases.update().values(expires_at=0))
    second = take(session, "second")
    with pytest.raises(Fenced, match="another run took over"), session.store.write() as connection:
        fence(connection, first)
    with pytest.raises(Fenced), session.store.write() as connection:
        watermark.put(connection, first, None)
    with session.store.write() as connection:
        fence(connection, second)
        release(connection, first)
        assert holder(connection, session.destination_id) == "second"


def stop_between_transactions(pid: int, state: URL) -> None:
    """Stop a child where it holds no lock of a SQLite state, which nobody could take from it."""
    for _ in range(100_000):
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        if state.get_backend_name() != "sqlite":
            return
        with contextlib.closing(sqlite3.connect(str(state.database), timeout=0)) as connection:
            try:
                connection.execute("begin immediate")
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                os.sched_yield()
            else:
                return
    raise AssertionError("it holds a lock all the time")


def test_a_runner_that_is_stopped_and_woken_records_nothing(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    state: URL,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGSTOP in the middle of a request, another run meanwhile, SIGCONT:
    the sleeper wakes and believes that it may go on.
    """
    duck.insert(*(conversion(number) for number in range(5)))
    made = duck_destination(delivery={"timeout": "5s"})
    receiver.script.add(Fault(kind="hang", seconds=600))
    sleeper = project.start("sync", "acme", "--json", CAPI_LEASE_SECONDS="2")
    try:
        while not receiver.inbox.summary()["requests"]:
            assert sleeper.poll() is None
        stop_between_transactions(sleeper.pid, state)
        with open_context(made) as session:
            while run_at_work(session) is not None:
                os.sched_yield()
        taken_over = sync(made)
        assert (taken_over.complete, status(made).recorded, status(made).mark) == (
            True,
            {"delivered": 5},
            taken_over.mark_to,
        )
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    out, err = sleeper.communicate(timeout=60)
    assert sleeper.returncode == 1, (out, err)
    assert b"another run took over this destination" in err
    assert (status(made).recorded, status(made).mark) == ({"delivered": 5}, taken_over.mark_to)
    duck.insert(conversion(9))
    assert sync(made).delivered == 1
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (6, 0)
    assert [each["delivered"] for each in status(made).runs] == [1, 5, 0]
