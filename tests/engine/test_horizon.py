"""What the ledger no longer remembers is not sent again, unless a person says so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from connector.commands.erase import recorded
from connector.commands.reconcile import reconcile
from connector.commands.rejected import rejected
from connector.commands.replay import replay
from connector.commands.resolve import resolve
from connector.commands.status import status
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.engine.horizon import horizon
from connector.engine.plan import Options
from connector.engine.report import Report
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.clock import FakeClock
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

MEMORY = {"retention": "7d", "ledger_retention": "30d"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that tests set; it begins two hundred days ago."""
    return FakeClock(monkeypatch, dt.datetime.now(dt.UTC) - dt.timedelta(days=200))


@pytest.fixture
def made(duck_destination: Make) -> Destination:
    """A destination whose ledger remembers a month."""
    return duck_destination(privacy=MEMORY)


def rows(clock: FakeClock, *numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Conversions of an hour ago."""
    times = {"updated_at": clock.ago(hours=1), "event_time": clock.ago(hours=2)}
    return [conversion(number, **{**times, **changes}) for number in numbers]


def touch(duck: DuckDb, clock: FakeClock) -> None:
    """A backfill writes all rows again, as they are."""
    duck.execute("update conversions set updated_at = ?", clock.ago(hours=1))


def copies(receiver: Receiver) -> list[int]:
    """How often each event arrived."""
    return sorted(arrival.copies for arrival in receiver.inbox.arrivals.values())


def since(made: Destination) -> dt.datetime | None:
    """The horizon."""
    with open_context(made) as context:
        return horizon(context)


def counts(report: Report) -> tuple[int, int, dict[str, int]]:
    """Rows delivered, rows expired, and why these expired."""
    return report.delivered, report.expired, report.tallies.get("expired", {})


def forget(
    made: Destination, duck: DuckDb, clock: FakeClock, *numbers: int, **changes: Any
) -> None:
    """Deliver these rows, and let so much time and runs pass that the ledger forgets them."""
    duck.insert(*rows(clock, *numbers, **changes))
    assert sync(made).delivered == len(numbers)
    clock.advance(days=40)
    duck.insert(*rows(clock, 900))
    assert sync(made).delivered == 1
    clock.advance(days=1)
    assert sync(made).complete
    assert since(made) is not None
    assert recorded(made, key=(f"c{numbers[0]:06d}",)) is None


def test_rows_before_quiet_weeks_are_not_sent_again(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    """The run after the quiet moves the watermark and prunes; the next looks back from before."""
    duck.insert(*rows(clock, *range(20)))
    sync(made)
    clock.advance(days=45)
    duck.insert(*rows(clock, 100))
    reports = [sync(made)]
    for _ in range(3):
        clock.advance(days=1)
        reports.append(sync(made))
    assert [report.rows_read for report in reports] == [1, 0, 0, 0]
    assert copies(receiver) == [1] * 21


def test_old_rows_that_a_backfill_touches_wait_for_a_person(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    forget(made, duck, clock, 1, 2, 3)
    touch(duck, clock)
    assert counts(sync(made)) == (0, 3, {"beyond_ledger": 3})
    assert {(row.key, row.reason, row.state) for row in rejected(made)} == {
        ((f"c{number:06d}",), "beyond_ledger", "expired") for number in (1, 2, 3)
    }
    assert status(made).quarantine == {"beyond_ledger": 3}
    clock.advance(hours=1)
    assert (sync(made).rows_read, replay(made).rows_read) == (0, 0)
    assert copies(receiver) == [1] * 4
    touch(duck, clock)
    assert counts(sync(made)) == (0, 3, {"beyond_ledger": 3})
    assert replay(made, key=("c000002",)).delivered == 1
    assert counts(sync(made, options=Options(yes=True))) == (2, 0, {})
    assert (copies(receiver), rejected(made)) == ([1, 2, 2, 2], [])


def test_a_forgotten_row_that_is_invalid_now_cannot_be_sent_again_by_mending_it(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    forget(made, duck, clock, 1)
    duck.execute("update conversions set value = -1 where conversion_id = 'c000001'")
    touch(duck, clock)
    assert counts(sync(made)) == (0, 1, {"beyond_ledger": 1})
    duck.execute("update conversions set value = 5 where conversion_id = 'c000001'")
    assert replay(made).rows_read == 0
    assert copies(receiver) == [1, 1]


def test_new_rows_are_sent_however_much_was_forgotten(
    made: Destination, duck: DuckDb, clock: FakeClock
) -> None:
    """Events of weeks ago that are loaded today, and a row committed late, within the memory."""
    forget(made, duck, clock, 1)
    duck.insert(*rows(clock, 10, event_time=clock.ago(days=25)))
    duck.insert(*rows(clock, 11, updated_at=clock.ago(hours=30), event_time=clock.ago(hours=31)))
    duck.insert(*rows(clock, 12, event_time=None))
    assert counts(sync(made)) == (3, 0, {})


def test_reconciling_does_not_take_forgotten_rows_for_missing_ones(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    forget(made, duck, clock, 1, 2)
    assert (reconcile(made, send=True).missing, copies(receiver)) == (0, [1] * 3)
    late = clock.ago(days=3)
    duck.insert(*rows(clock, 3, updated_at=late, event_time=late))
    found = reconcile(made, since=clock.ago(days=100))
    assert (found.rows, found.missing, found.beyond_ledger) == (4, 1, 2)
    sent = reconcile(made, since=clock.ago(days=100), send=True).report
    assert sent is not None
    assert counts(sent) == (1, 2, {"beyond_ledger": 2})
    assert copies(receiver) == [1] * 4


def test_reconciling_sends_forgotten_rows_where_a_person_says_so(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    forget(made, duck, clock, 1, 2)
    sent = reconcile(made, since=clock.ago(days=100), send=True, yes=True).report
    assert sent is not None
    assert counts(sent) == (2, 0, {})
    assert copies(receiver) == [1, 2, 2]


@pytest.mark.parametrize("start", ["all", "a time"])
def test_a_restart_does_not_send_forgotten_rows(
    made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver, start: str
) -> None:
    forget(made, duck, clock, 1, 2)
    resolve(made, restart=start if start == "all" else clock.ago(days=100).isoformat())
    assert counts(sync(made)) == (0, 2, {"beyond_ledger": 2})
    assert copies(receiver) == [1] * 3
    assert counts(sync(made, options=Options(yes=True))) == (2, 0, {})


@pytest.mark.parametrize("changes", [{}, {"event_time": None}])
def test_a_run_since_a_time_does_not_send_forgotten_rows(
    made: Destination,
    duck: DuckDb,
    clock: FakeClock,
    receiver: Receiver,
    changes: dict[str, Any],
) -> None:
    """A row without an event_time is judged by its cursor."""
    forget(made, duck, clock, 1, 2, **changes)
    assert counts(sync(made, options=Options(since=clock.ago(days=100), dry_run=True)))[1:] == (
        2,
        {"beyond_ledger": 2},
    )
    assert counts(sync(made, options=Options(since=clock.ago(days=100)))) == (
        0,
        2,
        {"beyond_ledger": 2},
    )
    assert copies(receiver) == [1] * 3


def test_a_first_run_sends_rows_of_years_ago(
    made: Destination, duck: DuckDb, clock: FakeClock
) -> None:
    """Nothing was delivered before it, so the ledger is complete;
    also where it is read in parts.
    """
    old = clock.ago(days=900)
    duck.insert(*rows(clock, *range(6), updated_at=old, event_time=old))
    for _ in range(3):
        assert sync(made, options=Options(limit=2)).delivered == 2
        clock.advance(days=35)
    assert counts(sync(made)) == (0, 0, {})


def test_a_backlog_is_sent_in_parts_whatever_could_be_forgotten_meanwhile(
    project: Project, duck_destination: Make, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    """The cursor tells no time, so only a run that reads to the end knows what still waits."""
    project.query("select *, epoch_us(updated_at) as version from conversions")
    made = duck_destination(
        privacy=MEMORY, source__cursor="version", overrides={"missing_time": "reject"}
    )
    forget(made, duck, clock, 1)
    duck.insert(*rows(clock, *range(10, 16), event_time=clock.ago(days=28)))
    for _ in range(3):
        clock.advance(days=20)
        assert counts(sync(made, options=Options(limit=2))) == (2, 0, {})
    assert sorted(set(copies(receiver))) == [1]


@pytest.mark.parametrize("without", ["event_time", "a cursor that is a time"])
def test_rows_that_do_not_tell_their_age_are_never_forgotten(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    clock: FakeClock,
    receiver: Receiver,
    without: str,
) -> None:
    """Nothing would tell an old one that is touched from a new one."""
    query = "select * exclude event_time from conversions"
    if without != "event_time":
        query = "select *, epoch_us(updated_at) as version from conversions"
    project.query(query)
    cursor = "updated_at" if without == "event_time" else "version"
    made = duck_destination(privacy=MEMORY, source__cursor=cursor)
    duck.insert(*rows(clock, 1, 2))
    assert sync(made).delivered == 2
    for _ in range(3):
        clock.advance(days=40)
        assert sync(made).complete
    touch(duck, clock)
    assert (counts(sync(made)), since(made)) == ((0, 0, {}), None)
    assert copies(receiver) == [1, 1]


@pytest.mark.parametrize(
    "changes", [{"source__lookback": "60d"}, {"overrides": {"windows": {"max_age": "60d"}}}]
)
def test_the_memory_is_never_shorter_than_what_readers_rely_on(
    duck_destination: Make, duck: DuckDb, clock: FakeClock, receiver: Receiver, changes: Any
) -> None:
    """Readers reach sixty days back, and the ledger was to remember a day."""
    made = duck_destination(privacy={"retention": "1d", "ledger_retention": "1d"}, **changes)
    duck.insert(*rows(clock, 1, 2))
    sync(made)
    for number in range(5):
        clock.advance(days=14)
        touch(duck, clock)
        duck.insert(*rows(clock, 10 + number))
        assert counts(sync(made)) == (1, 0, {})
        reconcile(made, send=True)
    assert sorted(set(copies(receiver))) == [1]


def test_after_a_lost_state_rows_from_before_the_new_start_wait_for_a_person(
    project: Project, made: Destination, duck: DuckDb, clock: FakeClock, receiver: Receiver
) -> None:
    duck.insert(*rows(clock, 1, 2))
    sync(made)
    clock.advance(days=10)
    for file in (project.root / ".capi").glob("state.db*"):
        file.unlink()
    resolve(made, restart="now")
    duck.insert(*rows(clock, 3, updated_at=clock.now, event_time=clock.ago(hours=3)))
    clock.advance(hours=3)
    assert counts(sync(made)) == (1, 0, {})
    touch(duck, clock)
    assert counts(sync(made)) == (0, 2, {"beyond_ledger": 2})
    assert copies(receiver) == [1] * 3


def test_status_shows_from_when_the_ledger_is_complete(
    made: Destination, duck: DuckDb, clock: FakeClock
) -> None:
    forget(made, duck, clock, 1)
    shown = status(made)
    assert shown.horizon is not None
    complete = since(made)
    assert complete is not None
    assert dt.datetime.fromisoformat(shown.horizon) == complete.replace(microsecond=0)
