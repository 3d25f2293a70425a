"""The parts that all chaos tests share:
a platform that misbehaves, and a server that forks runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos.receiver import Receiver
from tests.support.launcher import Launcher

SEED = int(os.environ.get("CHAOS_SEED", "20260601"))


@pytest.fixture(scope="session")
def chaos_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A platform that misbehaves when told to."""
    receiver = Receiver(tmp_path_factory.mktemp("received"), SEED)
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts runs as processes, without waiting for imports."""
    started = Launcher("tests.chaos.child", tmp_path_factory.mktemp("runs"))
    yield started
    started.close()
