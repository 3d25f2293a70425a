"""Lists of rows in the formats that other programs read: JSON Lines, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connector.cli import output
from connector.errors import ConfigError

FORMATS = ("table", "json", "csv", "parquet")


def refuse_unknown(format: str, file: Path | None) -> None:
    """Raise ConfigError for a format that there is not, and for bytes on a terminal."""
    if format not in FORMATS:
        raise ConfigError(f"--format is one of {', '.join(FORMATS)}")
    if format == "table" and file is not None:
        raise ConfigError("--output needs --format json, csv or parquet")
    if format == "parquet" and file is None and sys.stdout.isatty():
        raise ConfigError("Parquet is not for a terminal; give --output FILE")


def write(
    format: str, fields: Sequence[str], rows: list[dict[str, Any]], file: Path | None
) -> None:
    """Write rows to a file, or to standard output.

    Args:
        format: json (a line for each row), csv or parquet.
        fields: Keys of each row, in the order of the columns.
        rows: JSON values. A key of several columns is a list; in CSV it is joined by blanks, and
            in Parquet every key is a list.
        file: Where to; None for standard output.

    Raises:
        ConfigError: The file cannot be written.
    """
    if format == "json" and file is None:
        for row in rows:
            output.print_json(row)
        return
    octets = {"json": _json, "csv": _csv, "parquet": _parquet}[format](fields, rows)
    if file is None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(octets)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None


def _json(_fields: Sequence[str], rows: list[dict[str, Any]]) -> bytes:
    import orjson  # late: `capi --help` does without it

    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _csv(fields: Sequence[str], rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fields)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _joined(row[name]) for name in fields})
    return text.getvalue().encode()


def _joined(value: Any) -> Any:
    return " ".join(value) if isinstance(value, list) else "" if value is None else value


def _parquet(fields: Sequence[str], rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa  # late: `capi --help` does without it
    import pyarrow.parquet as pq

    columns: dict[str, pa.Array] = {}
    for name in fields:
        values = [row[name] for row in rows]
        if name == "key":
            values = [[value] if isinstance(value, str) else value for value in values]
        is_number = any(isinstance(value, int) for value in values)
        columns[name] = pa.array(
            values,
            pa.list_(pa.string()) if name == "key" else pa.int64() if is_number else pa.string(),
        )
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()
