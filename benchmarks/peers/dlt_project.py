"""The command that runs the pipeline of dlt in `dlt_meta.py`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.processes import Command

HERE = Path(__file__).parent
FILE_ROWS = 25_000


def dlt(python: Path) -> Contender:
    """A pipeline of dlt with a custom destination."""

    def prepare(root: Path, warehouse: Path, url: str) -> Command:
        environment = {
            "HOME": str(root),
            "PIPELINES_DIR": str(root / "pipelines"),
            "DATA_WRITER__FILE_MAX_ITEMS": str(FILE_ROWS),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        return Command(
            (str(python), str(HERE / "dlt_meta.py"), str(warehouse), url), root, environment
        )

    return Contender("dlt 1.31.0", "batch_size=1000, parquet, files of 25,000 rows", prepare)
