"""What is measured: whole processes that deliver the same table to the same receiver."""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import project, raw, script
from benchmarks.measure import in_turns, ratio, short, spread, verdict
from benchmarks.processes import Command, Usage, execute
from benchmarks.receiver import Receiver

REPOSITORY = Path(__file__).parents[1]

LIMIT_ROWS = 100_000


class Contender(NamedTuple):
    """One way to deliver a table.

    configuration: what of it is not its default, or how it is meant to be used. prepare: an empty
    folder, a DuckDB file and a receiver's address -> the process to start. sends: events that it
    delivers; None: all.
    """

    name: str
    configuration: str
    prepare: Callable[[Path, Path, str], Command]
    sends: int | None = None


class Run(NamedTuple):
    """One run of a contender. to_first: seconds until the receiver had a first whole request."""

    usage: Usage
    requests: int
    connections: int
    to_first: float

    @property
    def seconds(self) -> float:
        """Wall time of the process."""
        return self.usage.seconds


def capi(
    *flags: str, platform: str = "meta", sends: int | None = None, **changes: Any
) -> Contender:
    """`capi sync` as people start it; the report shows flags and changes of the YAML."""
    configuration = [
        *flags,
        *(f"{key.replace('__', '.')}: {value}" for key, value in changes.items()),
    ]

    def prepare(root: Path, warehouse: Path, url: str) -> Command:
        path = project.write(root, f"duckdb:///{warehouse}", url, platform, **changes)
        return sync(root, path, *" ".join(flags).split())

    return Contender("capi sync", ", ".join(configuration) or "defaults", prepare, sends)


def sync(root: Path, path: Path, *flags: str) -> Command:
    """`capi sync` of a destination."""
    program = str(Path(sys.executable).with_name("capi"))
    return Command((program, "sync", str(path), "--json", *flags), root, project.environment(root))


def good_script(platform: str = "meta") -> Contender:
    """The script to beat."""
    many = f"{script.BATCH:,} events a request, " if platform == "meta" else ""
    return Contender(
        "a good script",
        f"{many}one request at a time, keeps no state",
        lambda root, warehouse, url: _module("script", platform, str(warehouse), url),
    )


def raw_posts(connections: int, rows: int) -> Contender:
    """The same bodies, ready made, over sockets; the first LIMIT_ROWS are enough."""
    sends = min(rows, LIMIT_ROWS)

    def prepare(root: Path, warehouse: Path, url: str) -> Command:
        bodies = warehouse.with_suffix(".bodies")
        if not bodies.exists():
            made = script.bodies("meta", str(warehouse))
            raw.keep(bodies, itertools.islice(made, -(-sends // script.BATCH)))
        return _module("raw", str(bodies), url, str(connections))

    configuration = (
        f"{short(sends)} rows, ready made, {connections} connection{'s'[: connections - 1]}"
    )
    return Contender("the machine's limit", configuration, prepare, sends)


def _module(name: str, *arguments: str) -> Command:
    return Command((sys.executable, "-m", f"benchmarks.{name}", *arguments), REPOSITORY)


def race(
    contenders: Sequence[Contender], warehouse: Path, rows: int, receiver: Receiver, turns: int
) -> list[list[Run]]:
    """Run all in turns; the runs of each. Raises RuntimeError where one did not deliver all."""
    return in_turns(
        [partial(_run, contender, warehouse, rows, receiver) for contender in contenders], turns
    )


def _run(contender: Contender, warehouse: Path, rows: int, receiver: Receiver) -> Run:
    with tempfile.TemporaryDirectory(dir=warehouse.parent) as folder:
        root = Path(folder) / "run"
        root.mkdir()
        command = contender.prepare(root, warehouse, receiver.url)
        receiver.totals()
        usage = execute(command)
        came = receiver.totals()
        shutil.rmtree(root)
    expected = rows if contender.sends is None else contender.sends
    if came.events != expected:
        raise RuntimeError(f"{contender.name}: {came.events} events came in place of {expected}")
    return Run(usage, came.requests, came.connections, came.seconds_to_first)


HEAD = ("seconds", "rows/s", "processor s", "peak MB", "capi is", "target", "configuration")
"""What `line` tells, behind a contender's name."""


def line(
    contender: Contender,
    runs: Sequence[Run],
    ours: Sequence[Run],
    rows: int,
    target: float | None = None,
) -> list[str]:
    """A line of a table. ours: the runs of `capi sync`; target: times it is to be faster."""
    seconds, delivered = [run.seconds for run in runs], contender.sends or rows
    faster = ratio(seconds, [run.seconds for run in ours]) * rows / delivered
    return [
        contender.name,
        spread(seconds),
        short(delivered / statistics.median(seconds)),
        f"{statistics.median(run.usage.processor for run in runs):.1f}",
        f"{max(run.usage.peak for run in runs) / 1024**2:.0f}",
        "" if runs is ours else f"{faster:.2f}x",
        verdict(faster, target),
        contender.configuration,
    ]
