"""The installation's key is replaced, and what is recorded goes on under the new one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from connector.commands.check import check
from connector.commands.erase import erase, recorded
from connector.commands.rejected import rejected
from connector.commands.rekey import rekey
from connector.commands.replay import replay
from connector.commands.status import status
from connector.commands.sync import sync
from connector.errors import ConfigError, LeaseHeld, StateError, StateMismatch
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state import lease, registry, tables
from connector.state.keys import hash_of
from connector.state.store import Store
from tests.conftest import Make
from tests.state.conftest import state  # noqa: F401
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion

KEYS = ["0f" * 32, "a5" * 32, "3c" * 32]


def stored(url: URL) -> list[Any]:
    """All that the database holds, row by row."""
    store = Store.open(url)
    try:
        with store.read() as connection:
            return [
                tuple(row)
                for table in tables.metadata.sorted_tables
                for row in connection.execute(sa.select(table))
            ]
    finally:
        store.close()


def hashes(url: URL) -> set[bytes]:
    """All key hashes in the database, and what else is made of 16 bytes."""
    found: set[bytes] = set()
    for row in stored(url):
        for value in row:
            if isinstance(value, bytes | memoryview):
                octets = bytes(value)
                found |= {octets[start : start + 16] for start in range(0, len(octets), 16)}
    return found


def key_of(url: URL) -> bytes:
    """The installation's key."""
    with contextlib.closing(Store.open(url)) as store:
        return store.key()


def test_nothing_is_sent_twice_under_the_new_key(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    state: URL,  # noqa: F811
) -> None:
    duck.insert(*map(conversion, range(5)), conversion(5, email=None), conversion(6))
    made = duck_destination()
    assert sync(made).delivered == 6
    erase(made, key=("c000006",))
    before = hashes(state)
    done = rekey([made])
    (mine,) = done.destinations
    assert (mine.name, mine.carried, mine.forgotten, done.stored) == ("acme", 7, 0, True)
    assert len(before) > 5
    assert before.isdisjoint(hashes(state)), "a hash under the old key is left"
    told = str(stored(state))
    assert not [each for each in before if each.hex() in told]
    assert hash_of(("c000006",), key_of(state)).hex() in told, "who erased it, is known"
    duck.execute("update conversions set value = 77, updated_at = ?", ago(hours=2))
    report = sync(made)
    assert (report.delivered, report.changed) == (0, 5)
    assert receiver.inbox.summary()["events"] == 6
    assert recorded(made, key=("c000006",)) == "erased"
    assert [row.key for row in rejected(made)] == [("c000005",)]
    duck.execute("update conversions set email = 'a@shop.example.org'")
    assert replay(made, key=("c000005",)).delivered == 1
    duck.insert(conversion(7))
    assert sync(made).delivered == 1


def test_a_key_that_is_given_leaves_the_database(
    duck_destination: Make,
    duck: DuckDb,
    state: URL,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    beside = "the installation key lies in the state database"
    assert [text for text in check(made).warnings if beside in text]
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[0])
    assert not rekey([made]).stored
    assert not [text for text in check(made).warnings if beside in text]
    assert KEYS[0] not in str(stored(state))
    monkeypatch.setenv("CAPI_PREVIOUS_INSTALLATION_KEY", KEYS[0])
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[1])
    with pytest.raises(StateMismatch, match="capi rekey"):
        sync(made)
    assert rekey([made]).destinations[0].carried == 1
    monkeypatch.delenv("CAPI_PREVIOUS_INSTALLATION_KEY")
    assert sync(made).rows_read == 0
    assert status(made).recorded["delivered"] == 1


def test_a_stored_key_leaves_the_database_once_it_is_given(
    duck_destination: Make,
    duck: DuckDb,
    state: URL,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    key = key_of(state).hex()
    assert key in str(stored(state))
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", key)
    assert sync(made).rows_read == 0
    assert key not in str(stored(state))


def test_rows_that_the_warehouse_lost_are_forgotten_only_if_a_person_agrees(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*map(conversion, range(4)))
    made = duck_destination()
    sync(made)
    gone = conversion(2, updated_at=ago(hours=3))
    duck.execute("delete from conversions where conversion_id = 'c000002'")
    with pytest.raises(ConfigError, match=r"1 of 4 rows of acme.*--yes"):
        rekey([made])
    assert sync(made).rows_read == 0, "a rekey that was refused leaves all as it was"
    (mine,) = rekey([made], forget=True).destinations
    assert (mine.carried, mine.forgotten) == (3, 1)
    duck.insert(gone)
    assert sync(made).expired == 1, "the row that came back may have been delivered"
    assert receiver.inbox.summary()["events"] == 4


def test_an_open_request_is_settled_under_the_new_key(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*map(conversion, range(3)))
    made = duck_destination()
    for _ in range(50):
        receiver.script.add(Fault(status=500, take=True))
    assert not sync(made).complete
    assert recorded(made, key=("c000001",)) == "ambiguous"
    receiver.script.clear()
    rekey([made])
    assert recorded(made, key=("c000001",)) == "ambiguous"
    assert sync(made).delivered == 3
    assert len({event["event_id"] for event in receiver.inbox.latest}) == 3


def test_a_key_that_describes_a_person_is_carried_over_without_its_text(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(*map(conversion, range(3)), conversion(4, value="-1"))
    made = duck_destination(source__key="email")
    sync(made)
    assert [row.key for row in rejected(made)] == [None]
    rekey([made])
    assert replay(made, key=("person4@shop.example.org",)).rejected == 1
    assert sync(made).rows_read == 0


def test_a_destination_without_its_file_stops_it(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    store = Store.open(URL.create("sqlite", database=str(project.root / ".capi" / "state.db")))
    with store.write() as connection:
        registry.add(connection, "another", {}, {})
    store.close()
    with pytest.raises(ConfigError, match="the state also knows another"):
        rekey([made])


def test_a_run_at_work_stops_it(duck_destination: Make, duck: DuckDb, project: Project) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    sync(made)
    store = Store.open(URL.create("sqlite", database=str(project.root / ".capi" / "state.db")))
    with store.write() as connection:
        lease.acquire(connection, 1, "a run")
    with pytest.raises(LeaseHeld):
        rekey([made])
    store.close()


def test_what_breaks_off_leaves_the_old_key(
    duck_destination: Make, duck: DuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck.insert(*map(conversion, range(3)))
    made = duck_destination()
    sync(made)

    def broken(*_: object) -> None:
        raise StateError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("connector.state.installation.replace_key", broken)
        with pytest.raises(StateError, match="full"):
            rekey([made])
    assert sync(made).rows_read == 0


@pytest.mark.parametrize(
    ("given", "previous", "sentence"),
    [
        (KEYS[0], None, "the key that this state has already"),
        (KEYS[1], None, "set CAPI_PREVIOUS_INSTALLATION_KEY to the key"),
        (KEYS[1], KEYS[2], "set CAPI_PREVIOUS_INSTALLATION_KEY to the key"),
        (KEYS[0], KEYS[0], "the key that this state has already"),
        (None, KEYS[0], "set CAPI_INSTALLATION_KEY to the new key"),
        ("abc", KEYS[0], "at least 32 hex digits"),
    ],
)
def test_what_is_given_must_be_another_key_and_the_one_of_now(
    duck_destination: Make,
    duck: DuckDb,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    previous: str | None,
    sentence: str,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.setenv("CAPI_INSTALLATION_KEY", KEYS[0])
    sync(made)
    for name, value in (
        ("CAPI_INSTALLATION_KEY", given),
        ("CAPI_PREVIOUS_INSTALLATION_KEY", previous),
    ):
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    with pytest.raises((ConfigError, StateMismatch), match=sentence):
        rekey([made])
