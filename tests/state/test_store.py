"""The state database: private, migrated,
tied to one installation key, and never the cause of a loss.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import URL

from connector.commands.status import status
from connector.commands.sync import sync
from connector.engine.context import open_context
from connector.engine.plan import Options
from connector.engine.planner import plan_slices
from connector.engine.run import prepare, run
from connector.errors import ConfigError, StateError, StateMismatch
from connector.model import RowState
from connector.sandbox.server import Receiver
from connector.state import migrations, tables
from connector.state.store import HEAD, Store
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

KEYS = ("ab" * 32, "cd" * 32)


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_migrations_make_exactly_the_tables_that_the_program_uses(store: Store) -> None:
    with store.engine.connect() as connection:
        found = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), tables.metadata
        )
    assert [
        each for each in found if not (isinstance(each, list) and each[0][0] == "modify_comment")
    ] == []


def test_a_second_opening_changes_nothing(state: URL, store: Store) -> None:
    key = store.key()
    again = Store.open(state)
    assert again.key() == key
    again.close()


def test_a_database_of_a_newer_release_is_not_touched(state: URL, store: Store) -> None:
    with store.write() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(
        StateMismatch, match=f"written by a newer release .schema 9999, this program knows {HEAD}."
    ):
        Store.open(state)
    with store.read() as connection:
        assert (
            connection.execute(sa.text("select version_num from alembic_version")).scalar()
            == "9999"
        )


def test_a_migration_keeps_a_private_copy_of_what_was_there(tmp_path: Path) -> None:
    url = URL.create("sqlite", database=str(tmp_path / "state.db"))
    first = Store.open(url)
    key = first.key()
    with first.write() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            if table.name != "installation":
                connection.execute(sa.text(f'drop table "{table.name}"'))
        connection.execute(sa.text("alter table installation rename to old_installation"))
        connection.execute(sa.text("update alembic_version set version_num = '0000'"))
    first.close()
    with pytest.raises(Exception, match="0000"):
        Store.open(url)
    [backup] = tmp_path.glob("state.db.*.backup")
    assert mode(backup) == "0o600"
    with sqlite3.connect(backup) as connection:
        assert connection.execute("select key_hex from old_installation").fetchone() == (key.hex(),)
    connection.close()


@pytest.fixture
def earlier(state: URL) -> Iterator[Store]:
    """A state as the first version made it."""
    if state.get_backend_name() == "sqlite":
        Path(str(state.database)).parent.mkdir()
    first = Store(state)
    migrations.upgrade(first.engine, backup=False, to="0001")
    yield first
    first.close()


def test_a_state_of_an_earlier_version_is_brought_up_to_date(state: URL, earlier: Store) -> None:
    with earlier.write() as connection:
        connection.execute(tables.tally.insert().values(run_id="r", kind="k", name="n", count=1))
    store = Store.open(state)
    with store.read() as connection:
        assert connection.execute(sa.select(tables.recent)).all() == []
        assert connection.execute(sa.select(tables.tally.c.name)).scalars().all() == ["n"]
    store.close()


def test_a_state_whose_row_keys_are_hashed_otherwise_is_refused_and_not_touched(
    state: URL, earlier: Store
) -> None:
    """Its rows would not be recognised, and all that lookback reads would be sent again."""
    with earlier.write() as connection:
        connection.execute(
            tables.ledger.insert().values(
                destination_id=1, key_hash=b"k" * 16, state=RowState.DELIVERED, at=1, place=2
            )
        )
    with pytest.raises(StateMismatch, match="hashed row keys in another way.*--restart now"):
        Store.open(state)
    with earlier.read() as connection:
        version = connection.execute(sa.text("select version_num from alembic_version")).scalar()
        assert (version, sa.inspect(connection).has_table("recent")) == ("0001", False)


def test_files_are_for_the_owner_alone_whatever_the_umask(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    before = os.umask(0)
    try:
        with open_context(made) as session:
            run(session, prepare(session, Options(), "sync", plan_slices))
            files = {path.name: mode(path) for path in (project.root / ".capi").glob("state.db*")}
            assert files == {"state.db": "0o600", "state.db-wal": "0o600", "state.db-shm": "0o600"}
    finally:
        os.umask(before)
    home = project.root / ".capi"
    assert {mode(path) for path in (home, home / "known")} == {"0o700"}
    assert {mode(path) for path in home.rglob("*") if path.is_file()} == {"0o600"}


def test_sqlite_makes_every_commit_last(tmp_path: Path) -> None:
    store = Store.open(URL.create("sqlite", database=str(tmp_path / "state.db")))
    with store.read() as connection:
        settings = [
            connection.exec_driver_sql(f"pragma {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    store.close()
    assert settings == ["wal", 2, 1]


def test_a_transaction_that_breaks_off_leaves_nothing(store: Store) -> None:
    with contextlib.suppress(RuntimeError), store.write() as connection:
        connection.execute(tables.tally.insert().values(run_id="r", kind="k", name="n", count=1))
        raise RuntimeError
    with store.read() as connection:
        assert connection.execute(sa.select(tables.tally)).all() == []


def test_an_error_of_the_driver_is_told_without_its_text(store: Store) -> None:
    values = {"run_id": "a secret value", "kind": "k", "name": "n", "count": 1}
    with pytest.raises(StateError) as error, store.write() as connection:
        connection.execute(tables.tally.insert(), [values, values])
    assert "IntegrityError" in str(error.value) or "UniqueViolation" in str(error.value)
    assert "secret" not in str(error.value)


def test_the_key_of_the_environment_is_not_stored(
    state: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[0])
    store = Store.open(state)
    assert store.key().hex() == KEYS[0]
    with store.read() as connection:
        row = connection.execute(sa.select(tables.installation)).one()
    store.close()
    assert row.key_hex is None
    assert KEYS[0] not in str(row)


@pytest.mark.parametrize("now", [KEYS[1], None])
def test_another_installation_key_is_refused_before_anything_is_sent(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    now: str | None,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[0])
    sync(made)
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", now) if now else monkeypatch.delenv(
        "CAPI_INSTALLATION_KEY"
    )
    duck.insert(conversion(2))
    with pytest.raises(StateMismatch, match="is not the key that this state was made with"):
        sync(made)
    assert receiver.inbox.summary()["requests"] == 1
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[0])
    assert sync(made).delivered == 1


@pytest.mark.parametrize("text", ["abcd", "no hex at all, although it is long enough", "ab" * 15])
def test_a_weak_installation_key_is_a_sentence(
    state: URL, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", text)
    store = Store.open(state)
    with pytest.raises(ConfigError, match="at least 32 hex digits") as error:
        store.key()
    store.close()
    assert text not in str(error.value)


class Counted:
    """Counts the rows that were recorded."""

    def __init__(self) -> None:
        self.rows = 0

    def expect(self, rows: int) -> None:
        """Rows that wait are of no interest here."""

    def settle(self, rows: int, rejected: int) -> None:
        """Count them."""
        self.rows += rows


def test_a_full_disk_stops_sending_at_once_and_loses_nothing(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(3_000)))
    made = duck_destination()
    sync(made, options=Options(limit=1))
    watch = Counted()
    with open_context(made) as session:
        with session.store.read() as connection:
            pages = connection.exec_driver_sql("pragma page_count").scalar_one()
        sa.event.listen(
            session.store.engine,
            "connect",
            lambda raw, _record: raw.execute(f"pragma max_page_count = {pages + 12}"),
        )
        session.store.engine.dispose()
        report = run(session, prepare(session, Options(), "sync", plan_slices), watch)
    assert report.failure is not None
    assert (report.failure.kind, report.failure.exit_code, report.complete) == (
        "StateError",
        3,
        False,
    )
    assert "SQLITE_FULL" in report.failure.message
    sent, recorded = receiver.inbox.summary()["events"], status(made).recorded["delivered"]
    assert 0 < watch.rows + 1 == recorded <= sent < 3_000
    assert sync(made).complete
    assert (
        receiver.inbox.summary()["events"],
        receiver.inbox.summary()["conflicts"],
        status(made).recorded,
    ) == (3_000, 0, {"delivered": 3_000})
