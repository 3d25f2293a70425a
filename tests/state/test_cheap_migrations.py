"""What the suite does in place of migrating each new state makes the same state."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from connector.state.store import Store
from tests.support.migrations import repeat_first_migration


def dumped(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())


def test_a_repeated_state_is_the_same_as_a_migrated_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_first_migration(monkeypatch.setattr)
    for name in ("migrated", "repeated"):
        Store.open(URL.create("sqlite", database=str(tmp_path / name))).close()
    assert "CREATE TABLE ledger" in "".join(dumped(tmp_path / "repeated"))
    assert dumped(tmp_path / "repeated") == dumped(tmp_path / "migrated")
