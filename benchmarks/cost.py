"""What each part of a run costs: whole processes that do ever more of it, beside the script."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks import data
from benchmarks.contenders import Run, capi, good_script, race
from benchmarks.measure import Options, short, show, spread
from benchmarks.receiver import receiving

STEPS = (
    ("starts, plans, sends one row", capi("--limit 1", sends=1)),
    ("reads, normalises, serializes", capi("--dry-run", sends=0)),
    ("sends as well", capi(test_mode="TEST12345")),
    ("records as well: ledger, verdicts, watermark", capi()),
)
"""Each does what the one before does, and what it says. Test mode sends, and records nothing."""


def run(options: Options) -> None:
    """Print a table for each size, 0 ms away."""
    script = good_script()
    contenders = [*(contender for _, contender in STEPS), script]
    for rows in options.sizes:
        with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
            warehouse = Path(folder) / "warehouse.duckdb"
            data.duckdb_file(warehouse, rows)
            *steps, scripted = race(contenders, warehouse, rows, receiver, options.turns_of(rows))
        lines = [
            _line(does, contender.configuration, runs, before, rows)
            for (does, contender), runs, before in zip(STEPS, steps, [None, *steps], strict=False)
        ]
        lines.append(_line(script.name, script.configuration, scripted, None, rows))
        show(
            [
                f"{short(rows)} rows to Meta, 0 ms away: capi sync",
                "seconds",
                "processor s",
                "more than above, us a row",
                "of the processor",
                "configuration",
            ],
            lines,
        )


def _line(
    does: str, configuration: str, runs: list[Run], before: list[Run] | None, rows: int
) -> list[str]:
    seconds, processor = _medians(runs)
    more = ["", ""]
    if before is not None:
        less_seconds, less_processor = _medians(before)
        more = [
            f"{(seconds - less_seconds) / rows * 1e6:.1f}",
            f"{(processor - less_processor) / rows * 1e6:.1f}",
        ]
    measured = [spread([run.seconds for run in runs]), f"{processor:.2f}"]
    return [does, *measured, *more, configuration]


def _medians(runs: list[Run]) -> tuple[float, float]:
    return (
        statistics.median(run.seconds for run in runs),
        statistics.median(run.usage.processor for run in runs),
    )
