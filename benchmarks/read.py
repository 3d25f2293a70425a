"""Reading: the warehouse's ordered pages against `pandas.read_sql` in chunks, on two databases."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks import baselines, data, project
from benchmarks.measure import Line, in_turns, show
from connector.config.destination import Destination
from connector.engine.page_builder import ROWS_TOGETHER
from connector.model import Range
from connector.platforms.columns import COLUMNS
from connector.source.reader import SourceReader

PAGE = ROWS_TOGETHER


def run(rows: int) -> None:
    """Print one line a database."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = [_compare(root, "DuckDB", data.duckdb_file(root / "w.duckdb", rows), rows, 8)]
        with data.postgresql(root / "postgresql", rows) as url:
            lines.append(_compare(root, "PostgreSQL", url, rows, 2.5))
    show("read, 20 columns", "rows/s", lines)


def _compare(root: Path, name: str, url: str, rows: int, target: float) -> Line:
    destination = project.write(root, "capi", url)
    ordered = f"{project.QUERY} order by updated_at, conversion_id"
    ours, theirs = in_turns(
        [partial(_read, destination), partial(baselines.read_sql, url, ordered, PAGE)]
    )
    return Line(name, rows / ours, rows / theirs, f"pandas.read_sql(chunksize={PAGE})", target)


def _read(destination: Destination) -> int:
    warehouse = SourceReader(destination, list(COLUMNS))
    try:
        return sum(len(page) for page in warehouse.read(Range(), PAGE))
    finally:
        warehouse.close()
