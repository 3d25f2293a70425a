"""`make dev` leaves no process behind, however it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.projects import REPOSITORY

GRANDCHILD = "import time; print('up', flush=True); time.sleep(600)"
CHILD = (
    "import os, subprocess, sys, time;"
    f"each = subprocess.Popen([sys.executable, '-c', {GRANDCHILD!r}], stdout=subprocess.PIPE);"
    "each.stdout.readline(); print(os.getpid(), each.pid, flush=True); time.sleep(600)"
)
OUTER = (
    "import sys; from dagster_project.dev import run_group;"
    f"sys.exit(run_group([sys.executable, '-c', {CHILD!r}]))"
)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_all_processes_end_when_the_outer_one_is_asked_to(asked: signal.Signals) -> None:
    """The signal reaches the outer process alone, as a service manager sends it."""
    outer = subprocess.Popen([sys.executable, "-c", OUTER], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert outer.stdout is not None
    pids = [int(text) for text in outer.stdout.readline().split()]
    assert len(pids) == 2
    outer.send_signal(asked)
    assert outer.wait(timeout=60) == 0
    last = time.monotonic() + 30  # init reaps an orphan when it comes round to it
    while any(map(is_alive, pids)) and time.monotonic() < last:
        time.sleep(0.05)
    assert [pid for pid in pids if is_alive(pid)] == []
    outer.stdout.close()


def test_the_exit_code_is_the_commands() -> None:
    code = (
        "import sys; from dagster_project.dev import run_group; "
        "sys.exit(run_group([sys.executable, '-c', 'exit(7)']))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60).returncode == 7
