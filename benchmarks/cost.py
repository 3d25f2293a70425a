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
    ("writes the audit as well", capi(audit={"path": "audit"})),
)
"""Each does what the one before does, and what it says. Test mode sends, and records nothing."""


AUDIT_TARGET = 0.05
"""Share of a run that the audit may take."""


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
        _audit(*steps[-2:])


def _audit(recorded: list[Run], audited: list[Run]) -> None:
    """Print what the audit takes of a run, by processor time, which other programs touch least."""
    share = 1 - _medians(recorded)[1] / _medians(audited)[1]
    print(
        f"the audit takes {share:.1%} of the run: "
        f"at most {AUDIT_TARGET:.0%} {'met' if share <= AUDIT_TARGET else 'MISSED'}\n",
        flush=True,
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
