"""What happens inside a forked run: the real command line or the real Dagster asset,
with time made faster where that is asked for.

CHAOS_BACKOFF=0.01 shortens the pauses between retries, CHAOS_CLOCK=7200 puts warehouse and
connector two hours ahead, CHAOS_MUTANT=NAME replaces one part of the connector by a wrong one,
CHAOS_FILE_LIMIT=BYTES fills the disk, CHAOS_GIVEN_UP=FILE has it told which requests were left at
the deadline, CHAOS_LOCK_SECONDS=0.5 and CHAOS_IDLE_SECONDS=0.5 shorten waits on the state,
CHAOS_COMMIT_ROWS=40 makes commits small, so that a game has many.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connector.delivery import exchange
from connector.delivery.transports.base import TransportFailure
from connector.model import Batch
from connector.state import waits
from tests.chaos import mutants
from tests.support import commands


def main(target: str, arguments: Sequence[str]) -> int:
    """Run one command to its end; returns the exit code."""
    try:
        prepare()
    except Exception:  # noqa: BLE001  a part to be replaced is not there any more
        traceback.print_exc()
        return mutants.NO_SEAM
    if target == "dagster":
        return materialize(Path(arguments[0]), Path(arguments[1]))
    return commands.main(target, arguments)


def prepare() -> None:
    """Change what the environment says is to be different in this run."""
    if os.environ.get("CHAOS_BACKOFF"):
        from connector.delivery import retry

        retry.BACKOFF_BASE = float(os.environ["CHAOS_BACKOFF"])
    if os.environ.get("CHAOS_COMMIT_ROWS"):
        from connector.engine import pipeline

        pipeline.COMMIT_ROWS = int(os.environ["CHAOS_COMMIT_ROWS"])
    for limit in ("LOCK_SECONDS", "IDLE_SECONDS"):
        if os.environ.get(f"CHAOS_{limit}"):
            setattr(waits, limit, float(os.environ[f"CHAOS_{limit}"]))
    if os.environ.get("CHAOS_CLOCK"):
        shift_clocks(dt.timedelta(seconds=float(os.environ["CHAOS_CLOCK"])))
    if os.environ.get("CHAOS_MUTANT"):
        mutants.apply(os.environ["CHAOS_MUTANT"])
    if os.environ.get("CHAOS_GIVEN_UP"):
        tell_given_up(Path(os.environ["CHAOS_GIVEN_UP"]))
    if os.environ.get("CHAOS_FILE_LIMIT"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = int(os.environ["CHAOS_FILE_LIMIT"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def tell_given_up(path: Path) -> None:
    """Write a line for each request whose answer did not come in time: unix nanoseconds, digests.

    The platform cannot know it, and on a busy machine it happens to good answers as well.
    """
    real = exchange.Exchange.read_response

    def read_response(
        self: exchange.Exchange, response: Any, renewals: int, batch: Batch, verdicts: Any
    ) -> exchange.Attempt:
        late = "no complete answer within"
        if isinstance(response, TransportFailure) and response.detail.startswith(late):
            digests = (hashlib.sha256(bytes(each)).hexdigest() for each in batch.records)
            with path.open("a", encoding="utf-8") as file:
                file.write(" ".join([str(time.time_ns()), *digests]) + "\n")
        return real(self, response, renewals, batch, verdicts)

    exchange.Exchange.read_response = read_response  # type: ignore[method-assign]


def shift_clocks(by: dt.timedelta) -> None:
    """The warehouse's clock, as if so much time had passed."""
    from connector.source import survey

    real = survey.read_clock
    survey.read_clock = lambda connection, dialect: real(connection, dialect) + by


def materialize(path: Path, root: Path) -> int:
    """Materialize a destination's asset in this process and print its metadata;
    1 where the run failed.
    """
    import dagster as dg
    import orjson

    from connector.config.loader import load
    from tests.support.dagster import materialize as run_asset

    with dg.DagsterInstance.ephemeral() as instance:
        run = run_asset(load(path, root), instance)
        values = (
            {
                label: value
                for label, value in run.values.items()
                if isinstance(value, int | float | str)
            }
            if run.materializations or run.observations
            else {}
        )
        sys.stdout.buffer.write(
            orjson.dumps({"dagster": run.run_id, "success": run.success, "metadata": values})
            + b"\n"
        )
        return 0 if run.success else 1


def warm_up(preload: str) -> None:
    """Everything that a run imports lazily, and the caches that it fills,
    in the process that is forked: it rehearses a run.
    """
    import tempfile

    from connector.commands.sync import sync
    from connector.engine.plan import Options
    from tests.chaos.world import PLATFORMS, ties, write_project
    from tests.support.projects import TOKEN
    from tests.support.warehouses import Sqlite

    commands.warm_up(preload)
    os.environ["ACME_TOKEN"] = TOKEN
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Sqlite(Path(folder))
        warehouse.create()
        warehouse.insert(*ties(3))
        for platform in PLATFORMS:
            project = write_project(
                Path(folder) / platform, platform, warehouse.url, "http://127.0.0.1:9/x"
            )
            sync(project.load(), options=Options(dry_run=True))
    if preload == "dagster":
        from dagster_project.definitions import defs

        defs()
