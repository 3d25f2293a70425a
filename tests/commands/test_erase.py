"""Rows that are forgotten for a request of deletion."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import psycopg
import pytest

from connector.commands.erase import erase, recorded
from connector.commands.reconcile import reconcile
from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.resolve import put_watermark
from connector.commands.show import show
from connector.commands.status import status
from connector.commands.sync import sync
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion


@pytest.mark.parametrize("was_sent", [True, False])
def test_an_erased_row_is_never_sent_again(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, was_sent: bool
) -> None:
    duck.insert(conversion(1), *([conversion(2)] if was_sent else []))
    made = duck_destination()
    sync(made)
    before = receiver.inbox.summary()["requests"]
    assert erase(made, key=("c000002",)).known == was_sent
    if not was_sent:
        duck.insert(conversion(2))
    duck.execute(
        "update conversions set value = 77, updated_at = ? where conversion_id = 'c000002'",
        ago(minutes=30),
    )
    assert (
        sync(made).rows_read,
        reconcile(made, send=True).missing,
        replay(made).rows_read,
    ) == (0, 0, 0)
    put_watermark(made, "all")
    assert sync(made).rows_read == 0
    assert receiver.inbox.summary()["requests"] == before
    assert status(made).recorded["erased"] == 1


def test_an_erased_row_leaves_the_quarantine(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    sync(made)
    assert erase(made, key=("c000002",)).known
    assert (rejected(made), replay(made, key=("c000002",)).rows_read) == ([], 0)


def texts_in(folder: Path, text: str) -> list[str]:
    """Files below a folder that hold a text."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_the_text_of_an_erased_key_is_in_no_file(
    duck_destination: Make, duck: DuckDb, project: Project, receiver: Receiver
) -> None:
    """It was the end of what is recorded, of a slice and of an open request, and in quarantine."""
    last = "c000009-of-somebody"
    duck.insert(*map(conversion, range(5)), conversion(9, conversion_id=last, email=None))
    made = duck_destination(delivery__slice_rows=3)
    assert sync(made).rejected == 1
    assert texts_in(project.root, last)
    assert erase(made, key=(last,)).still_in == []
    assert texts_in(project.root, last) == []
    assert sync(made).rows_read == 0
    duck.insert(conversion(10))
    assert sync(made).delivered == 1
    assert receiver.inbox.summary()["conflicts"] == 0


def test_an_open_request_that_ends_with_an_erased_key_is_settled_without_it(
    duck_destination: Make, duck: DuckDb, project: Project, receiver: Receiver
) -> None:
    last = "c000009-of-somebody"
    duck.insert(*map(conversion, range(3)), conversion(9, conversion_id=last))
    made = duck_destination()
    receiver.script.add(Fault(status=500, take=True, times=1_000))
    assert not sync(made).complete
    assert texts_in(project.root, last)
    assert erase(made, key=(last,)).before == "ambiguous"
    assert texts_in(project.root, last) == []
    receiver.script.clear()
    assert sync(made).delivered == 3
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (4, 0)


def test_backups_that_hold_an_erased_key_are_named(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1), conversion(2, conversion_id="c2-of-somebody", email=None))
    made = duck_destination()
    sync(made)
    state = project.root / ".capi" / "state.db"
    backup = state.with_name("state.db.1700000000.backup")
    with contextlib.closing(sqlite3.connect(state)) as connection:
        connection.execute("vacuum into ?", (str(backup),))
    assert erase(made, key=("c2-of-somebody",)).still_in == [backup]
    backup.unlink()
    assert erase(made, key=("c2-of-somebody",)).still_in == []


def test_a_file_that_others_read_is_named_and_rewritten_by_the_next_erasure(
    duck_destination: Make, duck: DuckDb, project: Project
) -> None:
    duck.insert(conversion(1), conversion(2, conversion_id="c2-of-somebody", email=None))
    made = duck_destination()
    sync(made)
    state = project.root / ".capi" / "state.db"
    with contextlib.closing(sqlite3.connect(state, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from mark").fetchone()
        done = erase(made, key=("c2-of-somebody",))
        assert (done.before, bool(done.still_in)) == ("rejected", True)
    assert erase(made, key=("c2-of-somebody",)).still_in == []


def test_postgresql_keeps_no_erased_key_in_its_tables(
    duck_destination: Make, duck: DuckDb, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPI_STATE_URL", postgres)
    duck.insert(conversion(1), conversion(2, conversion_id="c2-of-somebody"))
    made = duck_destination()
    sync(made)
    assert erase(made, key=("c2-of-somebody",)).before == "delivered"
    with psycopg.connect(postgres) as connection:
        for table in ("mark", "slice", "intent", "quarantine"):
            rows = connection.execute(f"select * from {table}").fetchall()  # type: ignore[arg-type]
            assert "somebody" not in str(rows)
    assert sync(made).rows_read == 0


@pytest.mark.parametrize("keys", ["plain", "hashed"])
def test_a_row_is_found_by_its_key_however_keys_are_kept(
    duck_destination: Make, duck: DuckDb, project: Project, keys: str
) -> None:
    names = [f"key-of-{number}-somebody" for number in range(4)]
    duck.insert(
        *(conversion(number, conversion_id=name) for number, name in enumerate(names)),
        *(
            conversion(7 + number, conversion_id=f"bad-of-{number}-somebody", email=None)
            for number in range(2)
        ),
    )
    made = duck_destination(privacy={"keys": keys})
    assert (sync(made).delivered, sync(made).rows_read) == (4, 0)
    assert bool(texts_in(project.root / ".capi", "somebody")) == (keys == "plain")
    shown = [("bad-of-0-somebody",), ("bad-of-1-somebody",)] if keys == "plain" else [None, None]
    assert [row.key for row in rejected(made)] == shown
    assert [row.key for row in rejected(made, key=("bad-of-1-somebody",))] == shown[1:]
    assert rejected(made, key=(names[0],)) == []
    assert recorded(made, key=(names[3],)) == "delivered"
    assert show(made, key=("bad-of-0-somebody",)).state == "rejected"
    duck.execute("update conversions set email = 'a@shop.example.org' where email is null")
    assert replay(made, key=("bad-of-0-somebody",)).delivered == 1
    assert erase(made, key=("bad-of-1-somebody",)).before == "rejected"
    assert rejected(made) == []
    assert (sync(made).rows_read, replay(made).rows_read) == (0, 0)
