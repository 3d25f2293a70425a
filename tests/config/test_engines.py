"""No engine logs what it reads or is given."""

from __future__ import annotations

import logging

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from connector.config.engines import create_engine


@pytest.mark.parametrize(
    "name", ["", "sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.Engine"]
)
def test_at_debug_neither_rows_nor_parameters_are_logged(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, name)
    statement = sa.text("select :who || ' of the row' as who")
    engines = {True: create_engine(make_url("sqlite://")), False: sa.create_engine("sqlite://")}
    for ours, engine in engines.items():
        caplog.clear()
        with engine.connect() as connection:
            assert connection.execute(statement, {"who": "Shelley"}).scalar() is not None
        engine.dispose()
        assert not (ours and "Shelley" in caplog.text)
    # The other engine proves that the level was low enough, wherever SQLAlchemy looks at it.
    assert ("Shelley" in caplog.text) is name.startswith("sqlalchemy")
