"""Sending: batches and single events, over the whole path and alone, against what a script does with requests."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import requests
import sqlalchemy as sa

from benchmarks import baselines, data, project
from benchmarks.measure import Line, in_turns, seconds, show
from benchmarks.receiver import receiving
from connector.delivery.transports.base import (
    HttpRequest,
    HttpResponse,
    Transport,
    TransportFailure,
)
from connector.delivery.transports.libcurl import LibcurlTransport
from connector.delivery.transports.requests import RequestsTransport

SCRIPT_ROWS = 2_000
"""Rows of the script that sends one event a request: its speed does not depend on how many there are."""

SINGLE_ROWS = 20_000
IN_FLIGHT = 16
TOKEN = "token"
TWO = ["em", "ph", "client_user_agent"]
"""Two identifiers, and what Meta wants beside them for a website."""

QUERY = (
    "select * replace (coalesce(email, conversion_id || '@example.org') as email) from conversions"
)
"""Every row can be matched: what is refused is another benchmark's business."""


def run(rows: int) -> None:
    """Print a table for batches, and two for single events."""
    with tempfile.TemporaryDirectory() as folder:
        _batches(Path(folder), rows)
        print()
        _single_alone(min(rows, SINGLE_ROWS))
        print()
        _single(Path(folder), min(rows, SINGLE_ROWS))


def _batches(root: Path, rows: int) -> None:
    end = _now()
    url, few = (
        data.duckdb_file(root / "batch.duckdb", rows, end),
        data.duckdb_file(root / "few.duckdb", min(rows, SCRIPT_ROWS), end),
    )
    many: dict[str, Any] = {"identifiers": TWO, "delivery": {"concurrency": 32}}
    with receiving() as near, receiving(0.15) as far:
        ours, distant, script = in_turns(
            [
                partial(_sync, root, "meta", url, near, rows, **many),
                partial(_sync, root, "meta", url, far, rows, **many),
                partial(_script, few, near),
            ],
            repeats=2,
        )
    lines = [
        Line(
            "0 ms away",
            rows / ours,
            min(rows, SCRIPT_ROWS) / script,
            "read_sql, row by row, session.post(json=)",
            8,
            100_000,
            "asked for",
        ),
        Line("150 ms away", rows / distant, rows / ours, "the line above", 0.8),
    ]
    show("DuckDB to meta, 1,000 events a request", "rows/s", lines)


def _single_alone(rows: int) -> None:
    table = data.conversions(rows)
    records = [
        baselines.RECORDS["capi"]({**row, "event_id": "e" * 64}) for row in table.to_pylist()
    ]
    with receiving() as url:
        bodies = [orjson.dumps(record) for record in records]
        calls = [
            HttpRequest(
                "POST",
                url,
                {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
                body,
            )
            for body in bodies
        ]
        with (
            contextlib.closing(RequestsTransport()) as plain,
            contextlib.closing(LibcurlTransport(connections=IN_FLIGHT)) as fast,
        ):
            script = _rate(partial(_post, url, records[:SCRIPT_ROWS]), min(rows, SCRIPT_ROWS))
            ours = _rate(partial(_send_each, plain, calls[:SCRIPT_ROWS]), min(rows, SCRIPT_ROWS))
            curl = _rate(partial(_send_all, fast, calls), rows)
    lines = [
        Line("requests", ours, script, "session.post(json=)", 2),
        Line(f"libcurl, {IN_FLIGHT} in flight", curl, script, "session.post(json=)", 8),
    ]
    show("single events, transport alone", "events per second of one core", lines)


def _single(root: Path, rows: int) -> None:
    end = _now()
    url, few = (
        data.duckdb_file(root / "single.duckdb", rows, end),
        data.duckdb_file(root / "fewer.duckdb", min(rows, SCRIPT_ROWS), end),
    )
    few_rows, lines = min(rows, SCRIPT_ROWS), []
    with receiving() as near, receiving(0.05) as far:
        script, plain, fast = in_turns(
            [
                partial(_script, few, near, "capi"),
                partial(
                    _sync, root, "capi", few, near, few_rows, delivery={"transport": "requests"}
                ),
                partial(_sync, root, "capi", url, near, rows, delivery={"transport": "libcurl"}),
            ],
            repeats=2,
        )
        than = "read_sql, row by row, session.post(json=)"
        lines.append(Line("requests, 8 in flight", few_rows / plain, few_rows / script, than))
        lines.append(Line("libcurl, 8 in flight", rows / fast, few_rows / script, than, 8))
        for concurrency in (1, 8, 64):
            part = min(few_rows, concurrency * 40)
            some = data.duckdb_file(root / f"some{concurrency}.duckdb", part, end)
            took = seconds(
                partial(_sync, root, "capi", some, far, part, delivery={"concurrency": concurrency})
            )
            lines.append(
                Line(
                    f"50 ms away, {concurrency} in flight",
                    part / took,
                    limit=concurrency / 0.05,
                    limit_is="in flight / latency",
                )
            )
        took = seconds(
            partial(
                _sync,
                root,
                "capi",
                few,
                far,
                few_rows,
                delivery={"concurrency": 64, "rate": "500/s"},
            )
        )
        lines.append(
            Line(
                "50 ms away, 64 in flight, rate: 500/s",
                few_rows / took,
                limit=500,
                limit_is="the rate",
            )
        )
    show("DuckDB to capi, one event a request", "rows/s", lines)


def _now() -> Any:
    import datetime as dt

    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)


def _sync(
    root: Path, platform: str, warehouse: str, endpoint: str, rows: int, **changes: Any
) -> None:
    report = project.first_run(root, platform, warehouse, QUERY, endpoint=endpoint, **changes)
    assert report.delivered == rows, report


def _script(warehouse: str, url: str, platform: str = "meta") -> None:
    """What people write: read, and for each row normalise, hash and post."""
    engine = sa.create_engine(warehouse)
    with engine.connect() as connection, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        for frame in pd.read_sql(
            f"{QUERY} order by updated_at, conversion_id", connection, chunksize=10_000
        ):
            for _, row in frame.iterrows():
                hashed = {name: baselines.RULES[name](row[name]) for name in ("email", "phone")}
                others = dict.fromkeys(
                    (
                        "first_name",
                        "last_name",
                        "city",
                        "postal_code",
                        "country",
                        "guid",
                        "first_party_id",
                    )
                )
                event_id = hashlib.sha256(row["conversion_id"].encode()).hexdigest()
                event = baselines.RECORDS[platform](
                    {**row, **others, **hashed, "event_id": event_id}
                )
                session.post(
                    url, json={"data": [event]} if platform == "meta" else event, timeout=30
                ).raise_for_status()
    engine.dispose()


def _rate(work: Callable[[], None], rows: int) -> float:
    """Rows in a second of this process's processor time."""
    began = time.process_time()
    work()
    return rows / (time.process_time() - began)


def _post(url: str, records: list[dict[str, Any]]) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        for record in records:
            session.post(url, json=record, timeout=30).raise_for_status()


def _send_each(transport: Transport, calls: list[HttpRequest]) -> None:
    for call in calls:
        assert isinstance(transport.send(call), HttpResponse)


def _send_all(transport: Transport, calls: list[HttpRequest]) -> None:
    """All calls, IN_FLIGHT of them at a time."""
    waiting, left, done = iter(calls), len(calls), threading.Event()

    def then(answer: HttpResponse | TransportFailure) -> None:
        nonlocal left
        assert isinstance(answer, HttpResponse)
        left -= 1
        if not left:
            done.set()
        following = next(waiting, None)
        if following is not None:
            transport.submit(following, then)

    for call in [next(waiting) for _ in range(IN_FLIGHT)]:
        transport.submit(call, then)
    done.wait()
