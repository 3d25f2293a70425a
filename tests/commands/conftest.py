"""What tests of several commands begin with."""

from __future__ import annotations

import pytest

from connector.config.destination import Destination
from tests.conftest import Make
from tests.support.fates import rows_in_every_state
from tests.support.projects import Project
from tests.support.warehouses import DuckDb


@pytest.fixture
def every_state(project: Project, duck: DuckDb, duck_destination: Make) -> Destination:
    """A destination with a row in each state."""
    return rows_in_every_state(project, duck, duck_destination)
