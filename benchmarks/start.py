"""Start-up: commands in processes of their own, and a run of nothing new inside Dagster."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks import data, project
from benchmarks.contenders import capi, race, sync
from benchmarks.measure import Options, in_turns, ratio, seconds, short, show, spread, verdict
from benchmarks.processes import Command, execute
from benchmarks.receiver import receiving

SHARE = 0.2
"""Of a run of 100,000 rows, the most that start-up may take."""

NOTHING_NEW = 2.5
"""Times `import pandas`, the most that a run of nothing new may take."""


def run(options: Options) -> None:
    """Print seconds of processes, the share of start-up in a run, and seconds inside Dagster."""
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        root, warehouse = Path(folder) / "run", Path(folder) / "warehouse.duckdb"
        data.duckdb_file(warehouse, options.rows)
        path = project.write(root, f"duckdb:///{warehouse}", receiver.url)
        nothing_new = sync(root, path)
        execute(nothing_new)
        pandas = Command((sys.executable, "-c", "import pandas"), root)
        capi_help = Command((nothing_new.arguments[0], "--help"), root)
        found = [
            [usage.seconds for usage in usages]
            for usages in in_turns(
                [partial(execute, command) for command in (pandas, capi_help, nothing_new)],
                options.turns,
            )
        ]
        _show(["python -c 'import pandas'", "capi --help", "capi sync, nothing new"], found)
        (whole,) = race([capi()], warehouse, options.rows, receiver, options.turns)
        share = statistics.median(run.to_first / run.seconds for run in whole)
        show(
            ["capi sync, defaults", "seconds", "to the first request", "of the run", ""],
            [
                [
                    f"{short(options.rows)} rows to Meta, 0 ms away",
                    spread([run.seconds for run in whole]),
                    spread([run.to_first for run in whole]),
                    f"{share:.0%}",
                    f"<= {SHARE:.0%} {'met' if share <= SHARE else 'MISSED'}",
                ]
            ],
        )
        with mock.patch.dict(os.environ, {**project.environment(root), "DAGSTER_HOME": ""}):
            _inside_dagster(path, root, options.turns)


def _show(names: Sequence[str], found: Sequence[Sequence[float]]) -> None:
    first = found[0]
    lines = []
    for name, times in zip(names, found, strict=True):
        slower = ratio(times, first)
        goal = NOTHING_NEW if "nothing new" in name else None
        lines.append([name, spread(times), f"{slower:.1f}x", verdict(slower, goal, at_most=True)])
    show(["a process each", "seconds", "of the first line", ""], lines)


def _inside_dagster(path: Path, root: Path, turns: int) -> None:
    """Once loaded, as in a code server: an empty asset, and a destination that has nothing new."""
    # Late: only the process that is measured imports them.
    import dagster as dg

    from connector import load
    from dagster_project.components import CapiDestination

    @dg.asset
    def empty() -> None:
        pass

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    built = CapiDestination(load(path, root)).build_defs(dg.ComponentTree.for_test().load_context)
    resources = dict(built.resources or {})

    def materialize(assets: Sequence[object], resources: dict[str, object]) -> None:
        done = dg.materialize(
            list(assets), instance=instance, resources=resources, run_config=quiet
        )
        assert done.success

    with dg.DagsterInstance.ephemeral() as instance:
        found = in_turns(
            [
                partial(seconds, partial(materialize, [empty], {})),
                partial(seconds, partial(materialize, built.assets or [], resources)),
            ],
            turns,
        )
    names = ["an asset that does nothing", "a destination with nothing new"]
    lines = [[name, spread(times)] for name, times in zip(names, found, strict=True)]
    show(["inside Dagster, once loaded", "seconds"], lines)
