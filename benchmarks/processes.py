"""Whole processes, as people start them, and what the operating system says each has used."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

LONGEST = 1_800.0
"""Seconds after which a process that does not end is killed."""

EVERY = 0.02
"""Seconds between two looks at the memory of what runs."""


@dataclass(frozen=True)
class Command:
    """A process to start. environment: what it has beside this process's own."""

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class Usage(NamedTuple):
    """What one process took, with the children it waited for.

    seconds: wall time. processor: seconds of user and system time. peak: bytes of resident memory;
    where it has children, of all its processes together. output: its standard output.
    """

    seconds: float
    processor: float
    peak: int
    output: str


def execute(command: Command) -> Usage:
    """Run a command to its end. Raises RuntimeError with what it said where it fails."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CAPI_")
    }
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env={**environment, **command.environment},
            stdout=out,
            stderr=err,
        )
        too_long = threading.Timer(LONGEST, process.kill)
        too_long.start()
        with _memory_of(process.pid) as peak:
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        too_long.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = out.read()
        if process.returncode != 0:
            raise RuntimeError(
                f"exit {process.returncode} of {' '.join(command.arguments)}\n"
                f"{said[-2000:]}\n{err.read()[-4000:]}"
            )
    return Usage(seconds, used.ru_utime + used.ru_stime, peak[0], said)


@contextlib.contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """One number: the highest sum, over a process and its descendants, of the most each has held.

    It is looked up while they run: what wait4 tells begins with the memory of the process that
    started them, this one.
    """
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            with contextlib.suppress(OSError, ValueError):
                peak[0] = max(peak[0], sum(map(_held, _family(pid))))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def _held(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 if "VmHWM:" in status else 0
