"""The receiver with every platform's credentials, and those in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.sandbox.server import Receiver, Settings, running
from tests.platforms.parts import SECRETS
from tests.support.projects import TOKEN


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that wants Meta's proof of the app secret too."""
    with running(
        Settings(port=0, token=TOKEN, app_secret=SECRETS["META_APP_SECRET"])
    ) as running_receiver:
        yield running_receiver


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """All credentials in the environment."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
