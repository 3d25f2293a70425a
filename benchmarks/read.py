"""Reading in watermark order, against the fastest way to the same rows in order."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import data, project
from benchmarks.measure import Options, in_turns, ratio, seconds, short, show, spread
from connector.engine.page_builder import ROWS_TOGETHER
from connector.model import Range
from connector.platforms.columns import COLUMNS
from connector.source.reader import SourceReader

ORDERED = "select * from conversions order by updated_at, conversion_id"


def run(options: Options) -> None:
    """Print one line a database."""
    rows, lines = options.rows, []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        compare = partial(_compare, root, rows, options.turns)
        url = data.duckdb_file(root / "w.duckdb", rows)
        lines.append(
            compare("DuckDB", url, "one Arrow stream", partial(_duckdb, root / "w.duckdb"))
        )
        with data.postgresql(root / "postgresql", rows) as url:
            lines.append(compare("PostgreSQL", url, "one ADBC stream", partial(_adbc, url)))
    show(
        [f"read {short(rows)} rows in order", "ours, s", "rows/s", "against", "s", "ours is"],
        lines,
    )


def _compare(
    root: Path, rows: int, turns: int, name: str, url: str, than: str, other: Callable[[], int]
) -> list[str]:
    destination = project.destination(root / name, url, "capi")

    def ours() -> int:
        reader = SourceReader(destination, list(COLUMNS))
        try:
            return sum(len(page) for page in reader.read(Range(), ROWS_TOGETHER))
        finally:
            reader.close()

    if not ours() == other() == rows:
        raise RuntimeError(f"{name}: not all rows were read")
    mine, theirs = in_turns([partial(seconds, ours), partial(seconds, other)], turns)
    return [
        name,
        spread(mine),
        short(rows / statistics.median(mine)),
        than,
        spread(theirs),
        f"{ratio(theirs, mine):.2f}x",
    ]


def _duckdb(path: Path) -> int:
    import duckdb  # late: each process reads one database

    with duckdb.connect(str(path), read_only=True) as connection:
        return sum(len(batch) for batch in connection.sql(ORDERED).to_arrow_reader(ROWS_TOGETHER))


def _adbc(url: str) -> int:
    from adbc_driver_postgresql import dbapi  # late, as above

    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(ORDERED)
        return sum(len(batch) for batch in cursor.fetch_record_batch())
