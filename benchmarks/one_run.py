"""One run in a process of its own: `python -m benchmarks.one_run ROOT URL ENDPOINT` sends all rows of a warehouse in batches, and prints what it took.

Without an ENDPOINT it is a dry run. Prints JSON: seconds, the peak of resident memory and the size of the state, in bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import project


class Taken(NamedTuple):
    """What one run took."""

    rows: int
    seconds: float
    peak: int
    state: int


def in_a_process(root: Path, url: str, endpoint: str = "") -> Taken:
    """Run it; root: an empty folder for the project and its state."""
    environment = {"BENCH_TOKEN": "token", "CAPI_HOME": str(root / ".capi")}
    command = [sys.executable, "-m", "benchmarks.one_run", str(root), url, endpoint]
    done = subprocess.run(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True
    )
    return Taken(**json.loads(done.stdout))


def _main(root: Path, url: str, endpoint: str) -> None:
    from connector.commands.sync import sync
    from connector.engine.plan import Options

    destination = project.write(root, "meta", url, **({"endpoint": endpoint} if endpoint else {}))
    began = time.perf_counter()
    report = sync(destination, Options(dry_run=not endpoint))
    took = time.perf_counter() - began
    assert report.complete, report.failure
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    state = sum(path.stat().st_size for path in (root / ".capi").rglob("*") if path.is_file())
    print(
        json.dumps(
            {"rows": report.to_json()["rows_read"], "seconds": took, "peak": peak, "state": state}
        )
    )


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
