"""Database engines that tell no value, neither in errors nor in logs."""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine

_NAME = "capi"


def create_engine(url: URL, **options: Any) -> Engine:
    """Create an engine whose rows and parameters are not logged, whatever level others log at.

    `hide_parameters` hides parameters alone: at DEBUG SQLAlchemy logs each row that it reads.
    Its loggers of other engines in this process are left as they are.
    """
    logging.getLogger(f"sqlalchemy.engine.Engine.{_NAME}").setLevel(logging.WARNING)
    return sa.create_engine(url, hide_parameters=True, logging_name=_NAME, **options)
