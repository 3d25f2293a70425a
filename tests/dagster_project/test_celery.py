"""The same asset on Celery: two workers over Redis deliver slices side by side."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from connector.commands.status import status
from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.dagster import Run, op_config
from tests.support.projects import REPOSITORY, Project
from tests.support.servers import closed_port
from tests.support.warehouses import DuckDb

pytestmark = pytest.mark.slow

pytest.importorskip("dagster_celery")
REDIS = shutil.which("redis-server")
SLICE_ROWS = 100_000
ROWS = SLICE_ROWS + 10

BACKLOG = f"""
create table backlog as select
    'c' || lpad(n::varchar, 6, '0') as conversion_id,
    now() - interval 1 day + interval (n) millisecond as updated_at,
    'Purchase' as event_name,
    now() - interval 2 day as event_time,
    'person' || n || '@shop.example.org' as email,
    n % 5000 <> 7 as opt_out
from range({ROWS}) numbers(n)
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis of its own."""
    if REDIS is None:
        pytest.skip("redis-server is not installed (scripts/system-packages installs it)")
    port = closed_port()
    command = [
        REDIS,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "eady to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture
def workers(
    broker: str, tmp_path: Path, lasting_instance: dg.DagsterInstance, duck_destination: Make
) -> Iterator[list[Path]]:
    """Two workers, one task at a time each; what they log."""
    settings = tmp_path / "celery" / "dagster_celery_config.py"
    settings.parent.mkdir()
    settings.write_text(f"broker_url = result_backend = {broker!r}\n", encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(settings.parent), str(REPOSITORY)]),
    }
    logs = [tmp_path / f"worker{number}.log" for number in range(2)]
    with contextlib.ExitStack() as stack:
        processes = []
        for number, log in enumerate(logs):
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "dagster_celery.app",
                "worker",
                "-n",
                f"worker{number}@%h",
            ]
            out = stack.enter_context(log.open("wb"))
            processes.append(
                subprocess.Popen(
                    [*command, "--pool", "solo", "--loglevel", "INFO"],
                    stdout=out,
                    stderr=out,
                    env=environment,
                )
            )
        try:
            for process, log in zip(processes, logs, strict=True):
                _wait_until_ready(process, log)
            yield logs
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=30)


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if " ready." in log.read_text(encoding="utf-8"):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(log.read_text(encoding="utf-8"))


def test_two_workers_deliver_the_slices_of_a_backlog(
    project: Project,
    duck_destination: Make,
    duck: DuckDb,
    receiver: Receiver,
    lasting_instance: dg.DagsterInstance,
    broker: str,
    workers: list[Path],
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a state that several machines could share: a SQLite file would be refused."""
    monkeypatch.setenv("CAPI_STATE_URL", postgres)
    project.query("select * from backlog")
    duck.execute(BACKLOG)
    made = duck_destination(delivery__slice_rows=SLICE_ROWS)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("CAPI_", "ACME_", "WAREHOUSE_", "DAGSTER_"))
    }
    job = dg.build_reconstructable_job(
        "tests.support.dagster", "celery_job", (made.name, str(made.root), environment)
    )
    config = {**op_config(made), "execution": {"config": {"broker": broker, "backend": broker}}}
    with dg.execute_job(
        job, instance=lasting_instance, run_config=config, raise_on_error=False
    ) as result:
        run = Run(lasting_instance, result.run_id)
    assert run.success, (
        run.failed_steps,
        [log.read_text(encoding="utf-8")[-2000:] for log in workers],
    )
    assert sorted(run.steps("STEP_SUCCESS")) == [
        "deliver[range_0]",
        "deliver[range_1]",
        "plan",
        "settle",
    ]
    sent = len(range(7, ROWS, 5_000))
    assert run.counts("rows_read", "delivered", "suppressed") == (ROWS, sent, ROWS - sent)
    assert (
        receiver.inbox.summary()["events"],
        receiver.inbox.summary()["duplicates"],
        status(made).backlog,
    ) == (sent, 0, 0)
    assert all("succeeded" in log.read_text(encoding="utf-8") for log in workers), (
        "each worker did some of it"
    )
