"""What Dagster keeps of a run holds no value of a row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import dagster as dg
import pytest

from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.dagster import materialize
from tests.support.projects import TOKEN
from tests.support.warehouses import DuckDb, conversion

PHONE = "4155552671"


def kept(home: Path) -> dict[str, bytes]:
    """All that Dagster stored: step outputs, logs, databases."""
    return {
        str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()
    }


def assert_absent(found: dict[str, bytes], *values: str) -> None:
    """No file holds one of these, or the SHA-256 that a platform would get of it."""
    wanted = [
        form for value in values for form in (value, hashlib.sha256(value.encode()).hexdigest())
    ]
    leaks = {
        (name, value)
        for name, content in found.items()
        for value in wanted
        if value.encode() in content
    }
    assert not leaks


def fill(duck: DuckDb) -> list[str]:
    """Five good rows and one bad one; returns their e-mail addresses."""
    rows = [
        conversion(number, email=f"secret{number}@shop.example.org", phone=f"+1{PHONE}")
        for number in range(5)
    ]
    duck.insert(*rows, conversion(9, email="not an address of anyone"))
    return [str(row["email"]) for row in rows]


def test_steps_hand_on_no_value_of_a_row(
    duck_destination: Make, duck: DuckDb, home: Path, lasting_instance: dg.DagsterInstance
) -> None:
    """Dagster pickles what passes between steps, readable for all who may read the folder."""
    emails = fill(duck)
    run = materialize(duck_destination(), lasting_instance)
    assert run.counts("delivered", "rejected") == (5, 1)
    found = kept(home)
    assert any("plan/work" in name for name in found), "no step output was looked at"
    assert_absent(found, *emails, PHONE, "not an address of anyone", TOKEN)


def test_a_failed_run_keeps_no_value_of_a_row_either(
    duck_destination: Make,
    duck: DuckDb,
    home: Path,
    lasting_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emails = fill(duck)
    monkeypatch.setenv("ACME_TOKEN", "an-old-token-of-acme")
    assert not materialize(duck_destination(), lasting_instance).success
    assert_absent(kept(home), *emails, PHONE, TOKEN, "an-old-token-of-acme")


def test_a_key_that_is_an_email_address_is_not_handed_on(
    duck_destination: Make, duck: DuckDb, home: Path, lasting_instance: dg.DagsterInstance
) -> None:
    emails = fill(duck)
    materialize(duck_destination(source__key="email"), lasting_instance, limit=3)
    found = kept(home)
    assert any("plan/work" in name for name in found), "no step output was looked at"
    assert_absent(found, *emails)


def test_rows_whose_key_is_an_email_address_arrive(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    fill(duck)
    run = materialize(duck_destination(source__key="email"), instance)
    assert run.counts("delivered", "rejected") == (5, 1)
    assert receiver.inbox.summary()["events"] == 5
