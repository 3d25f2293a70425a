"""A platform's API version that retires:
told sixty days before, by `check` and by a check in Dagster.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from connector.commands.check import check
from connector.engine.report import Report
from connector.platforms import loader as platforms
from connector.sandbox.server import Receiver
from connector.state import clock
from dagster_project.components.checks import check_results
from tests.platforms.parts import minimal, on_paper, on_receiver, recent
from tests.support.projects import Project

ENDS = {"version_ends": {"v27.0": "2027-11-04"}}
DAYS = [(-1, True), (0, True), (60, True), (61, False)]


@pytest.mark.parametrize(("before", "told"), DAYS)
def test_a_version_is_warned_of_sixty_days_before_its_end(before: int, told: bool) -> None:
    today = dt.date(2027, 11, 4) - dt.timedelta(days=before)
    warning = platforms.load("meta", overrides=ENDS).version_warning(today)
    assert (warning is not None) is told
    assert platforms.load("meta").version_warning(today) is None, "nobody said when v27.0 ends"
    if warning is not None:
        assert f"retire{'s' if before > 0 else 'd'} on 2027-11-04" in warning
        assert "overrides.params.version" in warning


@pytest.mark.parametrize(("before", "told"), DAYS)
def test_check_and_dagster_say_so(
    before: int, told: bool, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = on_receiver(project, receiver, [recent(minimal("meta"))], "meta", overrides=ENDS)
    now = dt.datetime(2027, 11, 4, 12, tzinfo=dt.UTC) - dt.timedelta(days=before)
    monkeypatch.setattr(clock, "now_us", lambda: int(now.timestamp()) * 1_000_000)
    warnings = check(destination).warnings
    assert any("retire" in warning for warning in warnings) is told
    assert version_check(destination).passed is not told


def version_check(destination: object) -> dg.AssetCheckResult:
    results = check_results(destination, dg.AssetKey("x"), Report("run"))
    return next(each for each in results if each.check_name == "api_version")


def test_a_platform_without_a_version_passes() -> None:
    assert version_check(on_paper("capi")).metadata["retires"].text == "not announced"
