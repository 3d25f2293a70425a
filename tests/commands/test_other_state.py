"""Every verb takes `state=`: a program may keep progress elsewhere than the environment says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import connector
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion


def test_every_verb_looks_into_the_state_that_it_is_given(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CAPI_STATE_URL", "sqlite:////nowhere/that/is/state.db")
    there = f"sqlite:///{tmp_path / 'other.db'}"
    duck.insert(conversion(1), conversion(2, email=None), conversion(3))
    project.query("select *, conversion_id <> 'c000003' as consent from conversions")
    made = duck_destination()
    assert connector.sync(made, state=there).delivered == 1
    assert connector.status(made, state=there).recorded["delivered"] == 1
    assert [row.reason for row in connector.rejected(made, state=there)] == ["no_identity"]
    assert connector.suppressed(made, state=there)[0].key == ("c000003",)
    assert connector.expired(made, state=there) == []
    assert connector.recorded(made, key=("c000001",), state=there) == "delivered"
    assert connector.show(made, key=("c000001",), state=there).state == "delivered"
    assert sum(line.delivered for line in connector.report(made, state=there)) == 1
    assert connector.replay(made, state=there).rejected == 1
    assert connector.reconcile(made, state=there).missing == 0
    assert connector.erase(made, key=("c000002",), state=there).known
    assert connector.rejected(made, state=there) == []
    assert connector.resolve(made, restart="all", state=there).mark is None
    assert connector.sync(made, state=there).rows_read == 0
    moved = replace(made, name="renamed")
    assert connector.rename(moved, old=made.name, state=there).new == "renamed"
    assert receiver.inbox.summary()["events"] == 1
