"""A forking server: it imports everything once,
and every run of the connector is a fresh fork of it, killed like any process.

A thousand kills would otherwise spend half an hour on imports. It talks in JSON lines over stdin
and stdout, so that it stays a process with one thread, which may fork. What it runs is a module
with two functions: `warm_up(preload)` for the server, `main(target, arguments)` for each fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Job:
    """One run.

    out, err: what it writes to. code: its exit code once it has ended, negative for the signal that
    ended it.
    """

    launcher: Launcher
    number: int
    out: Path
    err: Path
    code: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def signal(self, name: str) -> None:
        """Send a signal, if it still runs."""
        self.launcher.tell({"signal": name, "job": self.number})

    def wait(self, seconds: float = 120.0) -> int:
        """Its exit code.

        A run that outlives `seconds` is killed and reported as a failure of the test.
        """
        if not self.ended.wait(seconds):
            self.signal("KILL")
            raise AssertionError(f"a run did not end within {seconds:g} s: {self.text()}")
        assert self.code is not None
        return self.code

    def text(self) -> str:
        """All that it wrote."""
        return self.out.read_text(encoding="utf-8", errors="replace")

    def json(self) -> dict[str, Any]:
        """Its last line of JSON, or {} where it wrote none."""
        for line in reversed(self.text().splitlines()):
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    found: dict[str, Any] = json.loads(line)
                    return found
        return {}


class Launcher:
    """The parent's side.

    module: what runs in the forks. folder: for what runs write. preload: handed to `warm_up`.
    """

    def __init__(self, module: str, folder: Path, preload: str = "", **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._numbers, self._jobs = folder, itertools.count(), {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.launcher", module, preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            cwd=ROOT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    _jobs: dict[int, Job]

    def start(
        self,
        target: str,
        *arguments: str,
        cwd: Path,
        environment: dict[str, str],
        alone: bool = False,
    ) -> Job:
        """Begin a run.

        target: `capi` or `dagster`; arguments: as on the command line. environment: in addition to
        the launcher's own. alone: that is all of the environment, and errors get a file of their
        own.
        """
        number = next(self._numbers)
        out = self._folder / f"{number}.out"
        job = Job(self, number, out, self._folder / f"{number}.err" if alone else out)
        self._jobs[number] = job
        for file in {job.out, job.err}:
            file.touch(mode=0o600)  # a fork may be killed before it opens them
        self.tell(
            {
                "job": number,
                "target": target,
                "arguments": arguments,
                "cwd": str(cwd),
                "environment": environment,
                "alone": alone,
                "out": str(job.out),
                "err": str(job.err),
            }
        )
        return job

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End it; runs that are still there are killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(5)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            job = self._jobs[report["job"]]
            if "stopped" in report:
                job.stopped.set()
                continue
            job.code = report["code"]
            job.ended.set()
            del self._jobs[report["job"]]


def serve(name: str, preload: str) -> None:
    """The server's side: read requests, fork, report what became of the children;
    until stdin ends.
    """
    module = importlib.import_module(name)
    module.warm_up(preload)
    gc.collect()
    gc.freeze()
    children: dict[int, int] = {}
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    waiting.register(woken, selectors.EVENT_READ)
    buffer = b""
    while True:
        for key, _ in waiting.select():
            data = os.read(key.fd, 65536)
            if key.fd == woken:
                _reap(children)
                continue
            if not data:
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                _obey(module, json.loads(line), children)


def _obey(module: Any, message: dict[str, Any], children: dict[int, int]) -> None:
    if "signal" in message:
        for pid, job in children.items():
            if job == message["job"]:
                os.kill(pid, getattr(signal, f"SIG{message['signal']}"))
        return
    pid = os.fork()
    if pid:
        children[pid] = message["job"]
        return
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, stream in ((1, "out"), (2, "err")):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(message[stream], flags, 0o600), descriptor)
        os.chdir(message["cwd"])
        if message["alone"]:
            os.environ.clear()
        os.environ.update(message["environment"])
        time.tzset()
        code = module.main(message["target"], message["arguments"])
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _reap(children: dict[int, int]) -> None:
    for pid in list(children):
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if not found:
            continue
        if os.WIFSTOPPED(status):
            _report({"job": children[pid], "stopped": True})
        else:
            _report({"job": children.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _report(message: dict[str, Any]) -> None:
    os.write(sys.stdout.fileno(), (json.dumps(message) + "\n").encode())


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
    os._exit(0)
