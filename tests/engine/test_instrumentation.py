"""What a run says while it is under way: log lines for people, hooks for metrics."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import connector
from connector.engine.context import open_context
from connector.engine.run import take_lease
from connector.sandbox.faults import Fault
from connector.sandbox.server import Receiver
from connector.state import lease
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion


@pytest.fixture
def hooks() -> Iterator[list[object]]:
    """What hooks for metrics are told."""
    told: list[object] = []
    connector.set_hooks(on_retry=[told.append], on_result=[told.append])
    yield told
    connector.set_hooks()


@pytest.mark.usefixtures("hooks")
def test_a_line_for_each_slice_retry_pause_and_bisection_and_for_the_end(
    project: Project, duck: DuckDb, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """And not one value of a person, although the platform repeats one."""
    duck.insert(*(conversion(number) for number in range(4)))
    project.write(
        duck.url,
        receiver.url,
        platform="meta",
        account={"pixel_id": "1"},
        constants={"action_source": "system_generated"},
        identifiers=["em"],
    )
    answer = {"error": {"code": 100, "message": "Invalid parameter for p1@shop.example.org"}}
    receiver.script.add(Fault(status=503))
    receiver.script.add(Fault(status=429, headers={"Retry-After": "0"}))
    receiver.script.add(Fault(status=400, body=answer))
    with caplog.at_level(logging.DEBUG, logger="connector"):
        report = connector.sync(project.load())
    lines = [record.getMessage() for record in caplog.records if record.name[:9] == "connector"]
    assert (report.delivered, report.complete) == (4, True)
    assert lines[0] == "acme: slice 0 (range)"
    assert [line for line in lines if line.startswith("retry after attempt 1 (")]
    assert [line for line in lines if line.startswith("pause after attempt 1 (")]
    assert "bisection: a batch of 4 records was refused as a whole" in lines
    [end] = [line for line in lines if "has ended" in line]
    assert end.startswith(
        f"acme: run {report.run_id} has ended; rows read 4, delivered 4, rejected"
    )
    assert not [line for line in lines if "@" in line or "shop.example" in line]


def test_a_take_over_is_told(
    duck_destination: Make,
    duck: DuckDb,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck.insert(conversion(1))
    made = duck_destination()
    with open_context(made) as context, monkeypatch.context() as patched:
        patched.setattr(lease, "SECONDS", -1.0)
        take_lease(context, "the first")
    with caplog.at_level(logging.WARNING, logger="connector"):
        report = connector.sync(made, run_id="the second")
    assert report.delivered == 1
    ours = [each for each in caplog.records if each.name.partition(".")[0] == "connector"]
    assert [record.getMessage() for record in ours] == [
        "take-over: run the first is gone, run the second goes on"
    ]


def test_hooks_are_told_of_retries_and_results(
    duck_destination: Make, duck: DuckDb, receiver: Receiver, hooks: list[object]
) -> None:
    duck.insert(conversion(1), conversion(2), conversion(3, email=None))
    receiver.script.add(Fault(status=503))
    report = connector.sync(duck_destination())
    [retry] = [each for each in hooks if isinstance(each, connector.RetryDetails)]
    assert (retry.destination, retry.platform, retry.attempt, retry.throttled) == (
        "acme",
        "capi",
        1,
        False,
    )
    assert "503" in retry.reason
    results = [each for each in hooks if isinstance(each, connector.ResultDetails)]
    assert {each.destination for each in results} == {"acme"}
    for name in ("delivered", "rejected", "expired", "suppressed"):
        assert sum(getattr(each, name) for each in results) == getattr(report, name), name
    assert sum(each.requests for each in results) == report.http_requests == 3


def test_a_hook_that_fails_stops_nothing(
    duck_destination: Make, duck: DuckDb, caplog: pytest.LogCaptureFixture
) -> None:
    duck.insert(conversion(1))

    def fail(details: connector.ResultDetails) -> None:
        raise OSError(f"no room for {details}")

    connector.set_hooks(on_result=[fail])
    try:
        assert connector.sync(duck_destination()).delivered == 1
    finally:
        connector.set_hooks()
    assert "a hook for metrics raised OSError" in caplog.text
    assert "no room" not in caplog.text


IN_MEMORY = """
import json
import connector
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
connector.sync("dagster_project/defs/acme/defs.yaml")
found = json.loads(reader.get_metrics_data().to_json())
print(json.dumps(found["resource_metrics"][0]["scope_metrics"]))
"""


def counted(scopes: list[dict[str, object]]) -> dict[tuple[str, str], int]:
    """Counter and state -> its value."""
    found = {}
    for scope in scopes:
        for metric in scope["metrics"]:  # type: ignore[attr-defined]
            for point in metric["data"]["data_points"]:
                assert point["attributes"]["destination"] == "acme"
                found[metric["name"], point["attributes"].get("state", "")] = point["value"]
    return found


EXPECTED = {
    ("capi.rows", "delivered"): 1,
    ("capi.rows", "rejected"): 1,
    ("capi.rows", "expired"): 0,
    ("capi.rows", "suppressed"): 0,
    ("capi.requests", ""): 2,
    ("capi.retries", ""): 1,
}


def test_opentelemetry_counts_where_it_is_installed_and_nothing_is_printed(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """With a provider of the process's own. What is logged is silent by default."""
    duck.insert(conversion(1), conversion(2, email=None))
    duck_destination()
    receiver.script.add(Fault(status=503))
    done = subprocess.run(
        [sys.executable, "-c", IN_MEMORY], cwd=project.root, capture_output=True, timeout=120
    )
    assert done.stderr == b""
    assert counted(json.loads(done.stdout)) == EXPECTED


def test_the_standard_variables_of_opentelemetry_choose_an_exporter(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver
) -> None:
    """Also for `capi`, which ends its process without Python's usual goodbye."""
    duck.insert(conversion(1), conversion(2, email=None))
    duck_destination(checks={"rejection_rate": {"fail": 0.9}})
    receiver.script.add(Fault(status=503))
    done = project.capi_anew("sync", "acme", "--json", OTEL_METRICS_EXPORTER="console")
    report, _, exported = done.out.partition("\n")
    assert (done.code, json.loads(report)["delivered"]) == (0, 1)
    assert counted(json.loads(exported)["resource_metrics"][0]["scope_metrics"]) == EXPECTED


HOST = """
import faulthandler, json, logging, os, signal, sys, threading, warnings
import alembic, pyarrow, requests, sqlalchemy, connector

def host():
    names = [None, *sorted(logging.root.manager.loggerDict)]
    ours = [name for name in names if (name or "")[:9] != "connector"]
    loggers = {
        str(name): (
            each.level,
            each.filters,
            [one for one in each.handlers if type(one) is not logging.NullHandler],
        )
        for name in ours
        for each in [logging.getLogger(name)]
    }
    return {
        "environment": dict(os.environ),
        "pool": pyarrow.default_memory_pool().backend_name,
        "warnings": len(warnings.filters),
        "signals": {
            each.name: signal.getsignal(each)
            for each in signal.valid_signals()
            if isinstance(each, signal.Signals)
        },
        "threads": threading.active_count(),
        "folder": os.getcwd(),
        "excepthook": sys.excepthook,
        "loggers": {name: state for name, state in loggers.items() if any(state)},
    }

before = host()
report = connector.sync("dagster_project/defs/acme/defs.yaml")
after = host()
changed = [(name, before[name], after[name]) for name in before if before[name] != after[name]]
print(report.delivered, changed)
"""


@pytest.mark.parametrize("transport", ["requests", "libcurl"])
def test_a_run_leaves_its_host_as_it_was(
    project: Project, duck_destination: Make, duck: DuckDb, transport: str
) -> None:
    """Allocator, environment, loggers of others, signals and threads belong to the program."""
    duck.insert(*(conversion(number) for number in range(3)))
    duck_destination(delivery={"transport": transport})
    done = subprocess.run(
        [sys.executable, "-c", HOST],
        cwd=project.root,
        env={**os.environ, "SSLKEYLOGFILE": str(project.root / "keys")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("3 []\n", "")
