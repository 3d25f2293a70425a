"""The state on both of its databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from connector.state.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> URL:
    """The address of an empty state database, which CAPI_STATE_URL names."""
    if request.param == "postgresql":
        url = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    else:
        url = URL.create("sqlite", database=str(tmp_path / "state" / "state.db"))
    monkeypatch.setenv("CAPI_STATE_URL", url.render_as_string(hide_password=False))
    return url


@pytest.fixture
def store(state: URL):  # type: ignore[no-untyped-def]
    """The open state."""
    opened = Store.open(state)
    yield opened
    opened.close()
