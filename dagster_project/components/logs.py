"""The connector's log lines, in the log of a Dagster run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import dagster as dg


@contextlib.contextmanager
def forwarded(log: dg.DagsterLogManager) -> Iterator[None]:
    """Within this block, what the connector logs at INFO or above also goes to a run's log."""
    logger, handler = logging.getLogger("connector"), _Forward(log)
    level = logger.level
    logger.addHandler(handler)
    if logger.getEffectiveLevel() > logging.INFO:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Forward(logging.Handler):
    def __init__(self, log: dg.DagsterLogManager) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on; the run's log adds its own time and step."""
        self._log.log(record.levelno, record.getMessage())
