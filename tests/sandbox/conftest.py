"""One receiver a module, as new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.sandbox.server import Receiver, Settings, running
from tests.sandbox.platforms import TOKEN, call, control


@pytest.fixture(scope="module")
def module_receiver() -> Iterator[Receiver]:
    """A receiver that the tests of a module share."""
    with running(Settings(port=0)) as receiver:
        yield receiver


@pytest.fixture
def receiver(module_receiver: Receiver) -> Receiver:
    """A receiver that has seen nothing and behaves."""
    call("DELETE", f"{module_receiver.url}/control")
    assert (
        control(module_receiver, token=TOKEN, fail_rate=0, reject_rate=0, latency=0).status == 200
    )
    return module_receiver
