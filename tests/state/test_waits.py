"""Every wait on the state ends, and the error says who was waited for;
a file that is gone is noticed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connector.commands.sync import sync
from connector.engine.context import RunContext, open_context
from connector.engine.plan import Options
from connector.engine.planner import plan_slices
from connector.engine.registration import register
from connector.engine.run import prepare, run
from connector.errors import StateError, StateMismatch
from connector.sandbox.server import Receiver
from connector.state import waits
from connector.state.lease import acquire, release
from tests.conftest import Make
from tests.support.warehouses import DuckDb, conversion

SECONDS = 0.3
"""In place of the limit that a test reaches; the others stay."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for a lock is short."""
    monkeypatch.setattr(waits, "LOCK_SECONDS", SECONDS)


@pytest.fixture
def session(state: URL, duck_destination: Make) -> Iterator[RunContext]:
    """A destination that the state knows, and whose lease a run holds."""
    with open_context(duck_destination()) as opened:
        register(opened)
        with opened.store.write() as connection:
            acquire(connection, opened.destination_id, "first")
        yield opened


def test_a_locked_state_is_waited_for_and_then_told_with_who_holds_it(
    quick: None, session: RunContext, state: URL
) -> None:
    """The other one is no runner of ours, so nothing ends its transaction."""
    if state.get_backend_name() == "sqlite":
        other = sqlite3.connect(str(state.database), isolation_level=None)
        other.execute("begin immediate")
        holders = r"run first of acme \(process \d+\)"
    else:
        plain = state.set(drivername="postgresql").render_as_string(hide_password=False)
        other = psycopg.connect(plain)  # type: ignore[assignment]
        # An end of its own, so that a wait without one fails here in place of going on for ever.
        other.execute("set idle_in_transaction_session_timeout = '20s'")
        other.execute("select * from lease for update")
        holders = (
            r"run first of acme \(process \d+\); session \d+ of PostgreSQL, which is idle in a"
            " transaction"
        )
    try:
        with (
            pytest.raises(StateError, match=f"is locked, .* It is held by {holders}. If that"),
            session.store.write() as connection,
        ):
            acquire(connection, session.destination_id, "first")
    finally:
        other.close()
    with session.store.write() as connection:
        assert acquire(connection, session.destination_id, "first").token == 2


@pytest.mark.parametrize("state", ["postgresql"], indirect=True)
def test_a_runner_that_stands_still_in_a_transaction_is_outlived(
    session: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one waits until the database has ended the other's transaction."""
    monkeypatch.setattr(waits, "IDLE_SECONDS", SECONDS)
    number = session.destination_id

    def sleep_and_wake() -> None:
        with session.store.write() as sleeping:
            held = acquire(sleeping, number, "first")
            with session.store.write() as connection:
                release(connection, held)
                taken = acquire(connection, number, "first")
            assert taken.token == held.token, "what the sleeper wrote is undone"
            sleeping.execute(sa.text("select 1"))

    with pytest.raises(StateError, match="this runner stood still inside a transaction"):
        sleep_and_wake()


@pytest.mark.parametrize("state", ["postgresql"], indirect=True)
def test_limits_end_with_their_transaction(session: RunContext) -> None:
    """A pooler gives the connection to others."""
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")

    def limits(connection: sa.Connection) -> list[str]:
        return [connection.execute(sa.text(f"show {name}")).scalar_one() for name in names]

    with session.store.write() as connection:
        assert limits(connection) == ["45s", "10min", "30s"]
    with session.store.read() as connection:
        assert limits(connection) == ["45s", "10min", "0"]
    with session.store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        assert [raw.execute(f"show {name}").fetchone()[0] for name in names] == ["0", "0", "0"]


@pytest.mark.parametrize("state", ["sqlite"], indirect=True)
def test_sqlite_waits_for_a_lock_as_long_as_postgresql(session: RunContext) -> None:
    """Python's own limit of five seconds would end a run beside a long commit."""
    with session.store.read() as connection:
        limit = connection.execute(sa.text("pragma busy_timeout")).scalar_one()
    assert limit == waits.LOCK_SECONDS * 1000


class Deleting:
    """Deletes the state file after the first rows were settled."""

    def __init__(self, state: URL) -> None:
        self.state, self.rows = state, 0

    def expect(self, rows: int) -> None:
        """Nothing is done before."""

    def settle(self, rows: int, rejected: int) -> None:
        """Delete it, once."""
        if not self.rows:
            Path(str(self.state.database)).unlink()
        self.rows += rows


@pytest.mark.parametrize("state", ["sqlite"], indirect=True)
def test_a_state_file_that_is_deleted_during_a_run_is_noticed_at_the_next_commit(
    state: URL, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(3_000)))
    made = duck_destination()
    watch = Deleting(state)
    with open_context(made) as opened:
        report = run(opened, prepare(opened, Options(), "sync", plan_slices), watch)
    assert report.failure is not None
    assert (report.failure.kind, report.failure.exit_code) == ("StateError", 3)
    assert "the state file was deleted or replaced" in report.failure.message
    assert 0 < watch.rows == report.delivered <= receiver.inbox.summary()["events"] < 3_000
    with pytest.raises(StateMismatch, match="its state is gone"):
        sync(made)
