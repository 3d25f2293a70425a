"""Database engines that tell no value, neither in errors nor in logs."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine

_QUIET = logging.Logger("connector.engines", logging.WARNING)
"""In no hierarchy, so that it follows no level that others set, and changes none of theirs."""


def create_engine(url: URL, **options: Any) -> Engine:
    """Create an engine whose rows and parameters are not logged, whatever level others log at.

    `hide_parameters` hides parameters alone: at DEBUG SQLAlchemy logs each row that it reads.
    """
    engine = sa.create_engine(url, hide_parameters=True, **options)
    engine.logger = _QUIET
    return engine
