"""`CAPI_EXECUTOR` chooses the executor of a whole code location, without a change to its code."""

from __future__ import annotations

import sys

import dagster as dg
import pytest

from connector.sandbox.server import Receiver
from dagster_project.definitions import defs
from tests.conftest import Make
from tests.support.dagster import PROCESSES, load_definitions, materialize_by_setting
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow

ELSEWHERE = "tests.support.dagster:elsewhere"
"""Runs its steps here, and for all that is known of it, it could do so on other machines."""


def executor_of(definitions: dg.Definitions) -> str:
    """The executor of a run of all assets."""
    return definitions.resolve_implicit_global_asset_job_def().executor_def.name


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        (None, "in_process"),
        ("multiprocess", "multiprocess"),
        ("multiprocess: {max_concurrent: 2}", "multiprocess"),
        (ELSEWHERE, "elsewhere"),
    ],
)
def test_the_demo_has_the_executor_that_is_set(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, name: str
) -> None:
    if setting is not None:
        monkeypatch.setenv("CAPI_EXECUTOR", setting)
    assert executor_of(defs()) == name


def test_celery_is_chosen_by_its_name(
    duck_destination: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dagster_celery")
    monkeypatch.setenv("CAPI_EXECUTOR", "celery: {broker: 'redis://:secret@127.0.0.1:1/0'}")
    assert executor_of(load_definitions(duck_destination())) == "celery"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("multiproces", "no executor 'multiproces'; did you mean 'multiprocess'?"),
        ("[celery]", "is the name of an executor .in_process, multiprocess, celery"),
        ("celery: {broker: secret", "is the name of an executor"),
        ("celery", "celery needs the package dagster-celery"),
        ("json:loads", "json:loads is no executor of Dagster"),
    ],
)
def test_a_setting_that_names_no_executor_is_refused(
    duck_destination: Make, monkeypatch: pytest.MonkeyPatch, setting: str, message: str
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_celery", None)
    monkeypatch.setenv("CAPI_EXECUTOR", setting)
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=message) as caught:
        load_definitions(duck_destination())
    assert "secret" not in str(caught.value)


def test_slices_run_in_processes_where_the_setting_says_so(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no slice is empty, though the rows fill them exactly."""
    monkeypatch.setenv("CAPI_EXECUTOR", str({"multiprocess": PROCESSES}))
    duck.insert(*(conversion(number) for number in range(4)))
    run = materialize_by_setting(duck_destination(delivery__slice_rows=2), lasting_instance)
    assert run.success, run.failed_steps
    assert sorted(run.steps("STEP_SUCCESS")) == [
        "deliver[range_0]",
        "deliver[range_1]",
        "plan",
        "settle",
    ]
    assert len(run.steps("STEP_WORKER_STARTED")) == 4
    assert receiver.inbox.summary()["events"] == 4


def test_a_state_of_this_machine_is_refused_where_steps_may_leave_it(
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    project: Project,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    monkeypatch.setenv("CAPI_EXECUTOR", ELSEWHERE)
    refused = materialize_by_setting(made, lasting_instance)
    assert "the executor elsewhere may run the steps of a run on several machines" in (
        refused.failure
    )
    assert "Set CAPI_STATE_URL to a PostgreSQL" in refused.failure
    assert not (project.root / ".capi" / "state.db").exists()
    assert receiver.inbox.summary()["requests"] == 0
    monkeypatch.setenv("CAPI_STATE_URL", postgres)
    assert materialize_by_setting(made, lasting_instance).values["delivered"] == 1
