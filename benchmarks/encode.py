"""Encoding: a frame as read -> the bytes of each record, against a dictionary a row and `json.dumps`."""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import partial

import pandas as pd
import pyarrow as pa

from benchmarks import baselines, data, project
from benchmarks.measure import Line, in_turns, show
from connector.arrow.convert import to_frame
from connector.mapping.bindings import RowBindings
from connector.mapping.coerce import conform
from connector.mapping.coverage import usable_columns
from connector.mapping.render import render
from connector.mapping.serializer import Serializer

PAGE = 20_000
BASELINE_ROWS = 20_000


def run(rows: int) -> None:
    """Two tables: JSON alone, from values that are normalised and hashed; and all of it, from the frame as it was read."""
    now = dt.datetime.now(dt.UTC)
    table = data.conversions(rows, end=now - dt.timedelta(hours=1))
    raw = table.slice(0, min(rows, BASELINE_ROWS)).to_pandas()
    ready = baselines.hashed(raw).assign(
        event_id=[hashlib.sha256(key.encode()).hexdigest() for key in raw["conversion_id"]]
    )
    alone, whole = [], []
    for platform in ("capi", "meta"):
        serializer = Serializer(project.destination(platform))
        prepared = _prepared(serializer, table.slice(0, PAGE).combine_chunks(), now)
        ours, dumps, iterrows = in_turns(
            [
                partial(_json, serializer, prepared),
                partial(baselines.to_dict_dumps, ready, platform),
                partial(baselines.iterrows_dumps, ready, platform),
            ]
        )
        speed = prepared.rows / ours
        alone += [
            Line(platform, speed, len(raw) / dumps, "to_dict + json.dumps", 20),
            Line(platform, speed, len(raw) / iterrows, "iterrows + json.dumps"),
        ]
        ours, script = in_turns(
            [partial(_all, serializer, table, now), partial(_script, raw, platform)]
        )
        whole.append(
            Line(platform, rows / ours, len(raw) / script, "Series.map, to_dict + json.dumps")
        )
    show("JSON alone", "records/s", alone)
    show("normalise, hash and JSON", "records/s", whole)


def _prepared(serializer: Serializer, page: pa.Table, now: dt.datetime) -> RowBindings:
    """A page whose values are all worked out, so that rendering it again writes JSON and does nothing else."""
    used = page.select(
        [name for name in usable_columns(serializer.destination) if name in page.column_names]
    )
    rows = RowBindings(
        serializer.destination, serializer._constants, conform(used, serializer._rules(now)), used
    )
    rows.event_ids = pa.array(
        [hashlib.sha256(key.encode()).hexdigest() for key in page["conversion_id"].to_pylist()]
    )
    render(serializer._event, rows)
    return rows


def _json(serializer: Serializer, rows: RowBindings) -> list[bytes]:
    return render(serializer._event, rows).cast(pa.binary()).to_pylist()


def _script(frame: pd.DataFrame, platform: str) -> list[bytes]:
    ids = [hashlib.sha256(key.encode()).hexdigest() for key in frame["conversion_id"]]
    return baselines.to_dict_dumps(baselines.hashed(frame).assign(event_id=ids), platform)


def _all(serializer: Serializer, table: pa.Table, now: dt.datetime) -> int:
    columns = usable_columns(serializer.destination)
    sent = 0
    for start in range(0, table.num_rows, PAGE):
        part = table.slice(start, PAGE).combine_chunks()
        frame = to_frame(part.select([name for name in columns if name in part.column_names]))
        sent += len(serializer.encode(frame, part["conversion_id"].combine_chunks(), now).records)
    return sent
