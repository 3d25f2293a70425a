"""Normalising and serializing, against pandas' `str` methods, hashlib and orjson."""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import orjson
import pandas as pd
import pyarrow as pa

from benchmarks import data, project, script
from benchmarks.measure import Options, in_turns, ratio, seconds, short, show, spread
from connector.config.destination import Destination
from connector.identifiers.digest import sha256_hex
from connector.identifiers.email import email_basic
from connector.identifiers.phone import phone_digits
from connector.mapping.coverage import usable_columns
from connector.mapping.serializer import Serializer

EVENTS = {"meta": script.meta_events, "capi": script.capi_events}


def run(options: Options) -> None:
    """Print a line for normalising, and one a platform for serializing and for both."""
    table = data.conversions(options.rows)
    frame = table.set_column(
        table.column_names.index("value"), "value", table["value"].cast(pa.float64())
    ).to_pandas()
    ready = script.normalise(frame)
    hashed = table.drop_columns(["email", "phone"]).add_column(
        0, "email_sha256", pa.array(ready["email"])
    )
    hashed = hashed.add_column(0, "phone_sha256", pa.array(ready["phone"]))
    compare = partial(_compare, options.rows, options.turns)
    lines = [
        compare(
            "normalise and hash", "", partial(_normalise, table), partial(script.normalise, frame)
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        for platform, events in EVENTS.items():
            destination = project.destination(
                Path(folder) / platform, "duckdb:///w.duckdb", platform
            )
            lines += [
                compare(
                    "serialize",
                    f"{platform}, already hashed",
                    partial(_encode, destination, hashed),
                    partial(_write, events, ready),
                ),
                compare(
                    "normalise, hash, serialize",
                    platform,
                    partial(_encode, destination, table),
                    lambda events=events: _write(events, script.normalise(frame)),
                ),
            ]
    show(
        [
            f"{short(options.rows)} rows",
            "platform",
            "ours, s",
            "rows/s",
            "a good script, s",
            "ours is",
        ],
        lines,
    )


def _compare(
    rows: int,
    turns: int,
    what: str,
    platform: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
) -> list[str]:
    mine, others = in_turns([partial(seconds, ours), partial(seconds, theirs)], turns)
    rate = short(rows / statistics.median(mine))
    return [what, platform, spread(mine), rate, spread(others), f"{ratio(others, mine):.2f}x"]


def _normalise(table: pa.Table) -> list[pa.Array]:
    found = []
    for part in _parts(table):
        found.append(sha256_hex(email_basic(part["email"].combine_chunks())))
        found.append(sha256_hex(phone_digits(part["phone"].combine_chunks(), "US")))
    return found


def _encode(destination: Destination, table: pa.Table) -> int:
    """Records of a table. Raises RuntimeError where one was refused."""
    serializer, now = Serializer(destination), dt.datetime.now(dt.UTC)
    names = [name for name in usable_columns(destination) if name in table.column_names]
    written = 0
    for part in _parts(table):
        keys = part["conversion_id"].combine_chunks()
        written += len(serializer.encode(part.select(names), keys, now).records)
    return written


def _write(events: Callable[[pd.DataFrame], Sequence[object]], frame: pd.DataFrame) -> int:
    written = 0
    for start in range(0, len(frame), script.CHUNK):
        found = events(frame.iloc[start : start + script.CHUNK])
        written += sum(len(orjson.dumps(event)) for event in found)
    return written


def _parts(table: pa.Table) -> list[pa.Table]:
    return [
        table.slice(start, script.CHUNK).combine_chunks()
        for start in range(0, table.num_rows, script.CHUNK)
    ]
