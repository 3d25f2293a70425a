"""Rivals on the same table and the same receiver: drt-core and dlt, in an environment of their own.

`make bench-peers` installs it and runs this. Each is set up as its own documentation recommends for
batches of 1,000; why, is said where it is set up.
"""

from __future__ import annotations

from benchmarks.contenders import REPOSITORY, good_script
from benchmarks.measure import Options
from benchmarks.peers.dlt_project import dlt
from benchmarks.peers.drt_project import drt
from benchmarks.sync import SCRIPT_TARGETS, Rival, against

PYTHON = REPOSITORY / ".venv-peers" / "bin" / "python"

DRT_TARGETS = {
    (100_000, 0.0): 4.0,
    (500_000, 0.0): 5.0,
    (100_000, 0.15): 7.0,
    (500_000, 0.15): 10.0,
}
"""(rows, latency) -> how many times faster than drt-core `capi sync` is to be."""


def run(options: Options) -> None:
    """Print a table for each size and latency."""
    if not PYTHON.exists():
        raise SystemExit("the rivals are not installed; run: make bench-peers")
    against(options, _rivals)


def _rivals(latency: float) -> list[Rival]:
    """The default pacing of drt is run where it is reached: 0 ms away."""
    found = [Rival(good_script(), SCRIPT_TARGETS), Rival(drt(PYTHON, paced=False), DRT_TARGETS)]
    if not latency:
        found.append(Rival(drt(PYTHON, paced=True), DRT_TARGETS))
    return [*found, Rival(dlt(PYTHON), {})]
