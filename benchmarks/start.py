"""Start-up: commands in processes of their own against Python that imports pandas; a run of nothing new inside Dagster against an asset that does nothing."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import data, project
from benchmarks.measure import in_turns
from benchmarks.receiver import receiving

CAPI = "from connector.cli.app import main; main()"


def run(_rows: int) -> None:
    """Print seconds."""
    with tempfile.TemporaryDirectory() as folder, receiving() as endpoint:
        root = Path(folder)
        os.environ |= {"BENCH_TOKEN": "token", "CAPI_HOME": str(root / ".capi"), "DAGSTER_HOME": ""}
        url = data.duckdb_file(
            root / "w.duckdb", 10_000, dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
        )
        destination = project.write(root, "meta", url, endpoint=endpoint)
        nothing_new = partial(
            _python,
            CAPI,
            "sync",
            str(destination.root / "dagster_project" / "defs" / "meta" / "defs.yaml"),
            "--json",
        )
        nothing_new()
        pandas, capi_help, synced = in_turns(
            [partial(_python, "import pandas"), partial(_python, CAPI, "--help"), nothing_new],
            repeats=5,
        )
        print(f"{'start-up, a process each':44}{'seconds':>9}{'of pandas':>11}   target")
        print(f"{'python -c import pandas':44}{pandas:>9.2f}")
        print(
            f"{'capi --help':44}{capi_help:>9.2f}{capi_help / pandas:>10.1f}x   0.3 s on a machine at rest"
        )
        print(
            f"{'capi sync, nothing new':44}{synced:>9.2f}{synced / pandas:>10.1f}x   < 2.5x {'met' if synced < 2.5 * pandas else 'MISSED'}"
        )
        _inside_dagster(root)


def _python(code: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, check=True)


def _inside_dagster(root: Path) -> None:
    """Once loaded, as in a code server: an empty asset, and a destination that has nothing new, in turns."""
    import dagster as dg

    from connector.config.loader import load
    from dagster_project.components import CapiDestination
    from dagster_project.definitions import defs

    @dg.asset
    def empty() -> None:
        pass

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    destination = load(root / "dagster_project" / "defs" / "meta" / "defs.yaml", root)
    built = CapiDestination(destination).build_defs(dg.ComponentTree.for_test().load_context)
    resources = dict(defs().resources or {})
    with dg.DagsterInstance.ephemeral() as instance:
        nothing, ours = in_turns(
            [
                lambda: dg.materialize([empty], instance=instance, run_config=quiet),
                lambda: dg.materialize(
                    list(built.assets or []),
                    instance=instance,
                    resources=resources,
                    run_config=quiet,
                ),
            ],
            repeats=5,
        )
    print(f"{'Dagster, an asset that does nothing':44}{nothing:>9.2f}")
    print(
        f"{'Dagster, a destination with nothing new':44}{ours:>9.2f}{'':11}   + {ours - nothing:.2f} s; < 0.5 s on a machine at rest"
    )
