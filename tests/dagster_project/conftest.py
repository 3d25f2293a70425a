"""Dagster instances, and a webhook on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.support.alerts import Webhook, listening
from tests.support.dagster import persistent_instance


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory: quick, and enough for one process."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME of its own."""
    folder = tmp_path / "dagster home"
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@pytest.fixture
def lasting_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which several processes share."""
    with persistent_instance(home) as made:
        yield made


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook as Slack has them."""
    with listening() as hook:
        yield hook
