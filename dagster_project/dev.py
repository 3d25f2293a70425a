"""`make dev`: the Dagster UI on the demo, with its receiver and its schedules running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from connector.errors import ConnectorError
from connector.sandbox.server import Settings, running
from dagster_project.demo import ROOT, build_warehouse, port, prepare

UI_PORT = os.environ.get("DAGSTER_PORT", "3000")
"""Where the UI is; `make dev DAGSTER_PORT=3001` where that port is taken."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask to end."""

PATIENCE_SECONDS = 15.0


def main() -> int:
    """Run until interrupted."""
    token = prepare()
    build_warehouse()
    try:
        with running(Settings(port=port(), token=token)) as receiver:
            sys.stdout.write(f"receiver: {receiver.url}\nDagster:  http://127.0.0.1:{UI_PORT}\n")
            sys.stdout.flush()
            command = [
                sys.executable,
                "-m",
                "dagster",
                "dev",
                "-m",
                "dagster_project.definitions",
                "-h",
                "127.0.0.1",
                "-p",
                UI_PORT,
            ]
            return run_group(command)
    except ConnectorError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def run_group(command: Sequence[str]) -> int:
    """Run a command until it ends or this process gets a signal, and end all that it started.

    The command and its descendants are a process group of their own. A terminal's Ctrl-C and a
    service manager's SIGTERM reach this process alone, which passes them on to all of the group.

    Returns:
        The command's exit code; 0 where a signal ended it.
    """
    asked = threading.Event()
    before = {each: signal.signal(each, lambda *_: asked.set()) for each in ENDING}
    group = subprocess.Popen(command, cwd=ROOT, start_new_session=True)  # noqa: S603  our own
    try:
        while group.poll() is None and not asked.wait(0.2):
            pass
        return 0 if asked.is_set() else group.wait()
    finally:
        _end(group)
        for each, handler in before.items():
            signal.signal(each, handler)


def _end(group: subprocess.Popen[bytes]) -> None:
    """SIGINT, by which Dagster's processes end in order; after `PATIENCE_SECONDS` SIGKILL."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group.pid, number)
        last = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < last and _is_alive(group):
            time.sleep(0.1)


def _is_alive(group: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the group is left."""
    group.poll()  # reaps the leader, which otherwise counts as alive
    try:
        os.killpg(group.pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
