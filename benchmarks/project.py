"""Destinations for benchmarks, and a project folder in which they run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from connector.config.destination import Destination
from connector.config.loader import build, load
from connector.engine.report import Report
from connector.syntax import yaml as strict_yaml

QUERY = "select * from conversions"

_PLATFORMS: dict[str, dict[str, Any]] = {
    "capi": {"account": {"advertiser_id": 12, "data_source_key": "abc123def456"}},
    "meta": {"account": {"pixel_id": "123456789012345"}},
}


def attributes(
    platform: str,
    warehouse: str = "duckdb:///w.duckdb",
    endpoint: str = "http://127.0.0.1:9/",
    **changes: Any,
) -> dict[str, Any]:
    """What a destination's YAML says. changes: attributes; a mapping is merged into what is there."""
    found: dict[str, Any] = {
        "platform": platform,
        "endpoint": endpoint,
        **_PLATFORMS[platform],
        "auth": {"bearer": "env:BENCH_TOKEN"},
        "source": {
            "warehouse": warehouse,
            "query": "sql/conversions.sql",
            "cursor": "updated_at",
            "key": "conversion_id",
            "start": "all",
            "lag": "0s",
            "time_zone": "UTC",
            "default_region": "US",
        },
    }
    for name, value in changes.items():
        found[name] = {**found.get(name, {}), **value} if isinstance(value, Mapping) else value
    return found


def destination(platform: str, **changes: Any) -> Destination:
    """A destination that is on no disk: for encoding alone."""
    return build(
        strict_yaml.load(_text(attributes(platform, **changes)), "defs.yaml"), Path("/"), None
    )


def write(
    root: Path, platform: str, warehouse: str, query: str = QUERY, **changes: Any
) -> Destination:
    """A destination in a project folder, for reading and sending."""
    folder = root / "dagster_project" / "defs" / platform
    folder.mkdir(parents=True, exist_ok=True)
    (root / "sql").mkdir(exist_ok=True)
    (root / "sql" / "conversions.sql").write_text(query, encoding="utf-8")
    (folder / "defs.yaml").write_text(
        _text(attributes(platform, warehouse, **changes)), encoding="utf-8"
    )
    return load(folder / "defs.yaml", root)


def first_run(
    root: Path, platform: str, warehouse: str, query: str = QUERY, **changes: Any
) -> Report:
    """A complete run with a state of its own."""
    from connector.commands.sync import sync

    with (
        tempfile.TemporaryDirectory(dir=root) as folder,
        mock.patch.dict(os.environ, BENCH_TOKEN="token", CAPI_HOME=str(Path(folder) / ".capi")),
    ):
        report = sync(write(Path(folder), platform, warehouse, query, **changes))
    assert report.complete, report.failure
    return report


def _text(found: Mapping[str, Any]) -> str:
    return yaml.safe_dump(
        {"type": "dagster_project.components.CapiDestination", "attributes": dict(found)},
        sort_keys=False,
    )
