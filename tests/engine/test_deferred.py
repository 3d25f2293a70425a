"""Results that a platform tells only later:
asked for by the runs that follow, noted as counts, and never in the way of a run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from connector.commands.sync import sync
from connector.engine import deferred as later
from connector.engine.report import Report
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver, Settings, running
from connector.state.store import Store, state_url
from connector.state.tables import receipt, tally
from tests.platforms.parts import SECRETS, minimal, on_receiver, recent
from tests.support.projects import Project

STATUS = "requestStatus"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that knows Google's secrets."""
    with running(Settings(port=0)) as running_receiver:
        yield running_receiver


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def rows(count: int, old: int = 0) -> list[dict[str, Any]]:
    """Conversions for Google, the first of which are too old for it;
    that is found out when they are processed.
    """
    return [
        recent(
            minimal("google", conversion_id=f"c{number:03d}", event_id=f"e{number}"),
            days=200 if number < old else 1,
        )
        for number in range(count)
    ]


def run(
    project: Project, receiver: Receiver, found: list[dict[str, Any]], **changes: Any
) -> Report:
    window = {"overrides__windows__max_age": "540d"}  # so that Google is who finds them too old
    return sync(on_receiver(project, receiver, found, "google", **window, **changes))


def waiting(project: Project) -> int:
    """Receipts that are still to be asked about."""
    store = Store.open(state_url(project.root))
    try:
        with store.read() as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(receipt)).scalar_one()
            )
    finally:
        store.close()


def told(project: Project) -> dict[str, dict[str, int]]:
    """Run -> what it knows of results."""
    store = Store.open(state_url(project.root))
    found: dict[str, dict[str, int]] = {}
    try:
        with store.read() as connection:
            for row in connection.execute(sa.select(tally).where(tally.c.kind == "later")):
                found.setdefault(row.run_id, {})[row.name] = row.count
    finally:
        store.close()
    return found


def set_back(project: Project, days: int) -> None:
    """Make every receipt older."""
    store = Store.open(state_url(project.root))
    try:
        with store.write() as connection:
            connection.execute(receipt.update().values(at=receipt.c.at - days * 86_400_000_000))
    finally:
        store.close()


def test_a_result_is_told_by_the_run_after_and_booked_to_both(
    project: Project, receiver: Receiver
) -> None:
    first = run(project, receiver, rows(3))
    assert (first.failure, first.delivered, first.tallies.get("later")) == (None, 3, None)
    assert waiting(project) == 1, "still at work when asked for the first time"
    second = run(project, receiver, rows(3))
    assert second.tallies["later"] == {"result SUCCESS": 1}
    assert told(project) == {
        first.run_id: {"result SUCCESS": 1},
        second.run_id: {"result SUCCESS": 1},
    }
    assert waiting(project) == 0
    assert "later" not in run(project, receiver, rows(3)).tallies


def test_records_that_were_accepted_and_then_refused_are_counted_by_reason(
    project: Project, receiver: Receiver
) -> None:
    report = run(project, receiver, rows(5, old=2))
    assert (report.delivered, report.rejected) == (5, 0), "accepted is all that the answer says"
    second = run(project, receiver, rows(5, old=2))
    assert second.tallies["later"] == {
        "result PARTIAL_SUCCESS": 1,
        "PROCESSING_ERROR_REASON_EVENT_TOO_OLD": 2,
    }
    assert (second.delivered, second.rejected, second.rows_read) == (0, 0, 0)


def test_every_request_has_its_own_result(project: Project, receiver: Receiver) -> None:
    run(project, receiver, rows(6, old=3), delivery={"batch_size": 2})
    assert waiting(project) == 3
    second = run(project, receiver, rows(6, old=3))
    assert second.tallies["later"] == {
        "result FAILED": 1,
        "result PARTIAL_SUCCESS": 1,
        "result SUCCESS": 1,
        "PROCESSING_ERROR_REASON_EVENT_TOO_OLD": 3,
    }


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, path=STATUS),
        Fault(status=401, path=STATUS),
        Fault(status=429, path=STATUS),
        Fault("reset", path=STATUS),
        Fault("truncate", path=STATUS),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_a_platform_that_does_not_answer_fails_no_run_and_is_asked_again(
    fault: Fault, project: Project, receiver: Receiver
) -> None:
    run(project, receiver, rows(3))
    receiver.script.add(fault)
    second = run(project, receiver, rows(4))
    assert (second.failure, second.delivered) == (None, 1)
    for _ in range(2):
        third = run(project, receiver, rows(4))
    assert waiting(project) == 0
    assert third.failure is None


def test_a_receipt_that_the_platform_does_not_know_keeps_no_other_waiting(
    project: Project, receiver: Receiver
) -> None:
    run(project, receiver, rows(2), delivery={"batch_size": 1})
    receiver.state.receipts.pop(next(iter(receiver.state.receipts)))
    second = run(project, receiver, rows(2))
    assert second.tallies["later"] == {"result SUCCESS": 1}
    assert waiting(project) == 1
    set_back(project, later.MAX_AGE.days + 1)
    third = run(project, receiver, rows(2))
    assert third.tallies["later"] == {"no final result": 1}
    assert waiting(project) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requestStatusPerDestination": "no list"},
        {"requestStatusPerDestination": [{"requestStatus": 7}]},
        "<html>",
        [],
    ],
)
def test_an_answer_that_says_nothing_settles_nothing(
    body: Any, project: Project, receiver: Receiver
) -> None:
    run(project, receiver, rows(1))
    receiver.script.add(Fault(status=200, body=body, path=STATUS))
    second = run(project, receiver, rows(1))
    assert (second.failure, second.tallies.get("later"), waiting(project)) == (None, None, 1)


def test_without_a_token_the_question_waits_and_the_run_ends_well(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, receiver, rows(1))
    monkeypatch.setenv("GOOGLE_REFRESH_TOKEN", "revoked")
    second = run(project, receiver, rows(1))
    assert (second.failure, second.rows_read, waiting(project)) == (None, 0, 1)


def test_what_waits_too_long_is_given_up(project: Project, receiver: Receiver) -> None:
    run(project, receiver, rows(1))
    receiver.script.add(
        Fault(
            status=200,
            body={"requestStatusPerDestination": [{"requestStatus": "PROCESSING"}]},
            path=STATUS,
            times=2,
        )
    )
    run(project, receiver, rows(1))
    assert waiting(project) == 1
    set_back(project, later.MAX_AGE.days + 1)
    assert run(project, receiver, rows(1)).tallies["later"] == {"result PROCESSING": 1}
    assert waiting(project) == 0


def test_only_so_many_are_asked_about_in_one_run(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "RECEIPTS_TOGETHER", 2)
    run(project, receiver, rows(3), delivery={"batch_size": 1})
    second = run(project, receiver, rows(3))
    assert (second.tallies["later"], waiting(project)) == ({"result SUCCESS": 2}, 1)


def test_a_platform_that_tells_all_at_once_is_asked_nothing(
    project: Project, receiver: Receiver
) -> None:
    sync(on_receiver(project, receiver, [recent(minimal("reddit"))], "reddit"))
    assert waiting(project) == 0


def test_the_time_to_give_up_is_longer_than_google_takes() -> None:
    assert dt.timedelta(days=1) <= later.MAX_AGE
