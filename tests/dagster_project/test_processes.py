"""Steps that live in processes of their own:
what one of them leaves when it is killed, and who may take over when.
"""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from connector.commands.status import status
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.dagster import materialize, materialize_in_processes
from tests.support.projects import TOKEN, Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow

WITHOUT_TIMES = "select * exclude (event_time) from conversions"
"""Rows get the moment of their first reading, which a resend must repeat."""

PLAN_AND_LEAVE = """
from pathlib import Path
from connector.config.loader import load
from connector.engine.plan import Options
from connector.engine.context import open_context
from connector.engine.run import plan

with open_context(load(Path("dagster_project/defs/acme/defs.yaml"))) as session:
    plan(session, Options(), run_id="a run whose next step has not begun")
"""


def test_after_a_killed_step_the_next_run_goes_on_and_counts_stay_exact(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project.query(WITHOUT_TIMES)
    duck.insert(*(conversion(number) for number in range(900)))
    # So slow that the first page of 400 is recorded well before: commits are grouped by time.
    made = duck_destination(delivery={"rate": "400/s"})
    monkeypatch.setenv("CAPI_FAILPOINT", "after_send:700")
    killed = materialize_in_processes(made, lasting_instance)
    assert list(killed.failed_steps) == ["deliver[range_0]"]
    monkeypatch.delenv("CAPI_FAILPOINT")
    run = materialize(made, lasting_instance)
    assert run.success, run.failed_steps
    interrupted, resumed = status(made).runs[1], status(made).runs[0]
    assert (interrupted["run_id"], interrupted["status"]) == (killed.run_id, "interrupted")
    assert (
        interrupted["delivered"] + run.values["delivered"]
        == 900
        == status(made).recorded["delivered"]
    )
    assert 0 < resumed["delivered"] == run.values["delivered"] < 900
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (900, 0)
    assert materialize(made, lasting_instance).found_nothing


def test_a_killed_run_that_is_re_executed_from_its_failure_sends_the_same_bytes(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The button in the UI, and what run retries do by default:
    the plan of the first run is used again.
    """
    project.query(WITHOUT_TIMES)
    duck.insert(*(conversion(number) for number in range(300)))
    made = duck_destination()
    monkeypatch.setenv("CAPI_FAILPOINT", "after_send:150")
    killed = materialize_in_processes(made, lasting_instance)
    monkeypatch.delenv("CAPI_FAILPOINT")
    again = materialize_in_processes(made, lasting_instance, again=killed)
    run = again if again.success else materialize(made, lasting_instance)
    assert run.success, run.failed_steps
    assert (receiver.inbox.summary()["events"], receiver.inbox.summary()["conflicts"]) == (300, 0)
    assert sum(each["delivered"] for each in status(made).runs) == 300


def test_between_two_steps_no_other_run_takes_over(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    instance: dg.DagsterInstance,
) -> None:
    """The process of a step is gone when the next step begins, but the run is not."""
    duck.insert(conversion(1))
    made = duck_destination()
    subprocess.run([sys.executable, "-c", PLAN_AND_LEAVE], cwd=project.root, check=True, timeout=60)
    run = materialize(made, instance)
    assert not run.success
    assert "is at work on this destination" in run.failure
    assert receiver.inbox.summary()["requests"] == 0


def test_a_run_that_ended_cannot_be_re_executed_from_its_failure_and_says_what_to_do(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    made = duck_destination()
    monkeypatch.setenv("ACME_TOKEN", "an-old-token")
    refused = materialize_in_processes(made, lasting_instance)
    assert "401" in refused.failed_steps["deliver[range_0]"]
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    again = materialize_in_processes(made, lasting_instance, again=refused)
    assert "has ended and was reported; start a new run" in again.failed_steps["deliver[range_0]"]
    assert not again.observations
    assert materialize(made, lasting_instance).counts("delivered") == (3,)
    assert receiver.inbox.summary()["events"] == 3
