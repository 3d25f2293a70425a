"""The destinations of benchmarks: the YAML that tests have, and what the job needs beside it.

What is not said here is a default; a benchmark that changes one says so beside its figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector import load
from connector.config.destination import Destination
from tests.support.projects import TOKEN, Project

JOBS: dict[str, dict[str, Any]] = {
    "meta": {
        "platform": "meta",
        "account": {"pixel_id": "123456789012345"},
        "identifiers": ["em", "ph", "client_user_agent"],
        "source__default_region": "US",
    },
    "capi": {"identifiers": ["HashedEmail", "HashedPhone"], "source__default_region": "US"},
}
"""Platform -> what its destination says beside the source: e-mail and phone, hashed; Meta wants the
user agent of a website's events beside them."""


def write(
    root: Path, warehouse: str, endpoint: str, platform: str = "meta", **changes: Any
) -> Path:
    """Write a project in an empty folder; the path of its destination's YAML.

    Args:
        root: where the project is made.
        warehouse: a SQLAlchemy URL.
        endpoint: the receiver's address.
        platform: one of JOBS.
        changes: what differs from the defaults; `delivery__concurrency=32` reaches inside.
    """
    return Project(root).write(warehouse, endpoint, **{**JOBS[platform], **changes})


def environment(root: Path) -> dict[str, str]:
    """What a process needs to run it: a state of its own, and the token."""
    return {"CAPI_HOME": str(root / ".capi"), "ACME_TOKEN": TOKEN}


def destination(root: Path, warehouse: str, platform: str = "meta", **changes: Any) -> Destination:
    """A destination for the stages, which send nothing."""
    return load(write(root, warehouse, "http://127.0.0.1:9/", platform, **changes), root)
