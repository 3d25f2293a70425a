"""All that is known of one conversion."""

from __future__ import annotations

import pytest

from connector.commands.show import show
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.errors import ConfigError
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, ago, conversion


def test_each_state_says_what_happens_next(every_state: Destination) -> None:
    states = {}
    for number in range(1, 11):
        found = show(every_state, key=(f"c{number:06d}",))
        states[number] = found.state
        assert found.next
        assert "{" not in found.next
        assert (found.cursor is None) == (number == 10), number
    assert states == {
        1: "delivered",
        2: "delivered",
        3: "rejected",
        4: "expired",
        5: "delivered",
        6: "suppressed",
        7: "erased",
        8: "missing",
        9: "waiting",
        10: "unknown",
    }


def test_a_refused_row_has_its_reason_and_its_history(duck_destination: Make, duck: DuckDb) -> None:
    duck.insert(conversion(1), conversion(2, email=None))
    made = duck_destination()
    first = sync(made)
    delivered = show(made, key=("c000001",))
    assert [(event.what, event.run_id) for event in delivered.events] == [
        ("recorded as delivered", first.run_id)
    ]
    duck.execute(
        "update conversions set updated_at = ? where conversion_id = 'c000002'", ago(hours=1)
    )
    second = sync(made)
    found = show(made, key=("c000002",))
    assert found.quarantine is not None
    assert (found.state, found.quarantine.reason, found.quarantine.attempts) == (
        "rejected",
        "no_identity",
        2,
    )
    assert [(event.what, event.run_id) for event in found.events] == [
        ("set aside", first.run_id),
        ("set aside, attempt 2: no_identity", second.run_id),
    ]
    assert "capi replay acme" in found.next


def test_a_row_whose_answer_is_unknown_is_told_as_such(
    duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    receiver.script.add(Fault("reset", times=50, take=True))
    assert not sync(made).complete
    found = show(made, key=("c000001",))
    assert found.state == "ambiguous"
    assert [event.what for event in found.events] == [
        "put into a request whose answer is not known yet"
    ]


def test_what_the_state_knows_is_told_without_the_warehouse(
    every_state: Destination, duck: DuckDb
) -> None:
    duck.path.rename(duck.path.with_suffix(".gone"))
    found = show(every_state, key=("c000001",))
    assert (found.state, found.cursor) == ("delivered", None)
    assert "DuckDB file" in str(found.warning)


def test_a_key_of_a_person_is_not_shown(
    project: Project, duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(1))
    made = duck_destination(source__key="email")
    sync(made)
    found = show(made, key=("person1@shop.example.org",))
    assert found.state == "delivered"
    assert "person1" not in str(found.to_json())
    with pytest.raises(ConfigError, match="a key is made of email"):
        show(made, key=("a", "b"))
