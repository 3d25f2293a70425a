"""What the checks say of a run, with their real defaults."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.commands.reconcile import reconcile
from connector.commands.sync import sync
from connector.config.destination import Destination
from connector.engine.checks import DESCRIBED, CheckResult, check_results, lag_limit
from connector.engine.context import open_context
from connector.engine.history import usual_match
from connector.engine.plan import Options
from connector.engine.report import Report
from connector.state import runs
from tests.conftest import Make
from tests.platforms.parts import on_paper
from tests.support.clock import FakeClock
from tests.support.encoding import capi
from tests.support.warehouses import DuckDb, conversion

MINUTE = dt.timedelta(minutes=1)


def result(name: str, destination: Destination, report: Report) -> CheckResult:
    """One check of a run."""
    return next(each for each in check_results(destination, report) if each.name == name)


def test_every_check_has_a_result_and_a_good_run_is_green() -> None:
    counted = {"match": {"HashedEmail": 10}, "completeness": {"rows": 10, "missing": 0}}
    report = Report("run", rows_read=10, delivered=10, tallies=counted)
    found = check_results(capi(), report)
    assert [each.name for each in found] == list(DESCRIBED)
    assert [each.name for each in found if not each.passed or each.message] == []


def test_a_run_that_found_nothing_leaves_the_last_answer_of_its_checks() -> None:
    found = check_results(on_paper("google"), Report("run"))
    silent = {"rejection_rate", "late_rows", "match_keys", "completeness", "receipt"}
    assert {each.name for each in found} == set(DESCRIBED) - silent


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"schedule": "*/15 * * * *"}, 45 * MINUTE + 5 * MINUTE),
        ({"schedule": "*/2 * * * *", "source__lag": "0s"}, 15 * MINUTE),
        ({"schedule": "0 9 * * 1-5"}, dt.timedelta(days=9) + 5 * MINUTE),
        ({"schedule": "@daily", "source__lag": "1h"}, dt.timedelta(days=3, hours=1)),
        ({"poll": "10m"}, 35 * MINUTE),
        ({"asset": {"automation_condition": "on_cron(@hourly)"}}, dt.timedelta(hours=3, minutes=5)),
        ({"asset": {"automation_condition": "eager"}}, None),
        ({}, None),
        ({"schedule": "@hourly", "checks": {"lag": "2h"}}, dt.timedelta(hours=2)),
    ],
)
def test_a_row_may_wait_for_three_intervals_of_the_schedule(
    changes: dict[str, Any], limit: dt.timedelta | None
) -> None:
    assert lag_limit(capi(**changes)) == limit


def test_a_destination_that_was_stuck_for_a_week_is_red() -> None:
    stuck = Report("run", facts={"lag_seconds": 7 * 86_400.0})
    found = result("lag", capi(schedule="@hourly"), stuck)
    assert (found.passed, found.severity) == (False, "error")
    assert "7 days, 0:00:00, longer than 3:05:00" in found.message
    assert result("lag", capi(), stuck).passed  # nothing says how often it should run
    assert result("lag", capi(schedule="@hourly"), Report("run", facts={"lag_seconds": 9e3})).passed


@pytest.mark.parametrize(
    ("delivered", "matched", "usual", "fall", "passed"),
    [
        (1000, 600, 0.95, 0.2, False),
        (1000, 770, 0.95, 0.2, True),
        (1000, 770, 0.95, 0.1, False),
        (1000, 0, 1.0, 0.2, False),
        (49, 0, 1.0, 0.2, True),
        (60, 20, 0.5, 0.2, True),  # of so few rows this happens by chance
        (6000, 2000, 0.5, 0.2, False),
    ],
)
def test_a_share_is_compared_with_its_own_median(
    delivered: int, matched: int, usual: float, fall: float, passed: bool
) -> None:
    report = Report(
        "run",
        rows_read=delivered,
        delivered=delivered,
        tallies={"match": {"HashedEmail": matched}},
        usual_match={"HashedEmail": usual},
    )
    found = result("match_keys", capi(checks={"match_keys_fall": fall}), report)
    assert found.passed is passed
    assert passed or f"usually {usual:.0%}" in found.message


@settings(max_examples=100, deadline=None)
@given(st.integers(50, 5000), st.floats(0.01, 1), st.floats(0, 1))
def test_a_share_that_did_not_fall_is_never_warned_of(
    delivered: int, usual: float, more: float
) -> None:
    share = usual + more * (1 - usual)
    report = Report(
        "run",
        rows_read=delivered,
        delivered=delivered,
        tallies={"match": {"HashedEmail": -int(-delivered * share)}},
        usual_match={"HashedEmail": min(usual, int(delivered * share) / delivered)},
    )
    assert result("match_keys", DESTINATION, report).passed


DESTINATION = capi()


def test_what_is_usual_comes_from_the_last_ten_complete_runs(
    duck_destination: Make, duck: DuckDb
) -> None:
    duck.insert(conversion(0))
    made = duck_destination()
    sync(made)
    with open_context(made) as context:
        number = context.destination_id

        def record(name: str, matched: int, status: str = "complete", kind: str = "sync") -> None:
            with context.store.write() as connection:
                runs.start(connection, number, name, kind, None)
                tallies = {"match": Counter({"HashedEmail": matched})}
                runs.add(connection, name, {"delivered": 100}, tallies, None)
                runs.finish(connection, name, status)

        def usual() -> dict[str, float]:
            with context.store.read() as connection:
                return usual_match(connection, number, "now")

        for each in range(3):
            record(f"a{each}", 10)
        assert usual() == {}
        record("replayed", 0, kind="replay")
        record("failed", 0, status="failed")
        assert usual() == {}
        for each in range(10):
            record(f"b{each}", 80 + each)
        record("now", 0)
        assert usual()["HashedEmail"] == pytest.approx(0.845)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that tests set."""
    return FakeClock(monkeypatch, dt.datetime.now(dt.UTC).replace(microsecond=0))


def rows(clock: FakeClock, *numbers: int, hours: float) -> list[dict[str, Any]]:
    """Conversions that were written so many hours ago."""
    times = {"updated_at": clock.ago(hours=hours), "event_time": clock.ago(hours=hours)}
    return [conversion(number, **times) for number in numbers]


def test_once_a_day_a_closed_window_is_counted_and_a_row_without_a_record_is_red(
    duck_destination: Make, duck: DuckDb, clock: FakeClock
) -> None:
    made = duck_destination()
    duck.insert(*rows(clock, 1, 2, hours=36), *rows(clock, 3, hours=1))
    first = sync(made)
    found = result("completeness", made, first)
    assert (found.passed, found.facts) == (True, {"rows": 2, "missing": 0})
    duck.insert(*rows(clock, 4, hours=30), *rows(clock, 5, hours=0.5))
    again = sync(made)
    assert (again.delivered, again.late) == (1, 0)
    assert "completeness" not in {each.name for each in check_results(made, again)}
    clock.advance(hours=25)
    duck.insert(*rows(clock, 6, hours=24), *rows(clock, 7, hours=40), *rows(clock, 8, hours=1))
    late = sync(made)
    found = result("completeness", made, late)
    assert (found.passed, found.severity) == (False, "error")
    assert (found.facts["missing"], late.late) == (1, 1)  # 4 came too late to be looked back for
    assert f"`capi reconcile {made.name} --send` delivers them" in found.message
    reconcile(made, send=True)
    clock.advance(hours=25)
    duck.insert(*rows(clock, 9, hours=1))
    assert result("completeness", made, sync(made)).facts["missing"] == 0


def test_nothing_is_counted_where_the_yaml_or_the_run_does_not_ask_for_it(
    duck_destination: Make, duck: DuckDb, clock: FakeClock
) -> None:
    duck.insert(*rows(clock, 1, hours=36), *rows(clock, 2, 3, hours=1))
    limited = sync(duck_destination(), options=Options(limit=2))
    assert "completeness" not in limited.tallies
    rest = sync(duck_destination(checks={"completeness": False}))
    assert (rest.delivered, "completeness" in rest.tallies) == (1, False)
    idle = sync(duck_destination())
    assert (idle.delivered, "completeness" in idle.tallies) == (0, False)


def test_rows_from_before_the_start_are_not_owed(
    duck_destination: Make, duck: DuckDb, clock: FakeClock
) -> None:
    duck.insert(*rows(clock, 1, hours=36), *rows(clock, 2, hours=1))
    start = clock.ago(hours=30).isoformat()
    report = sync(duck_destination(source__start=start))
    assert report.tallies["completeness"] == {"rows": 0, "missing": 0}


@pytest.mark.parametrize(
    ("later", "passed"),
    [
        ({}, True),
        ({"result SUCCESS": 3}, True),
        ({"result PROCESSING": 1}, True),
        ({"result SUCCESS": 1, "result PARTIAL_SUCCESS": 1}, False),
        ({"result FAILED": 1, "INVALID_EMAIL": 4}, False),
    ],
)
def test_results_that_come_later_are_the_receipt(later: dict[str, int], passed: bool) -> None:
    destination = on_paper("google")
    found = result("receipt", destination, Report("run", tallies={"later": later}))
    assert found.passed is passed
    assert found.facts == later


def test_a_platform_that_tells_all_at_once_has_no_other_receipt() -> None:
    found = result("receipt", capi(), Report("run", tallies={"later": {"result FAILED": 1}}))
    assert (found.passed, found.facts) == (True, {"told": "at once, with each answer"})
