"""One file for each database: its clock, its types, its fastest reader, what its errors mean.

A database that has a file here is read by it; every other one that SQLAlchemy knows, by `generic`.
To add a database, add a file with the name of its SQLAlchemy backend that sets `DIALECT`.

May import: what `connector.source` may import.
"""

from __future__ import annotations

import importlib
import importlib.util

from connector.source.dialects import generic
from connector.source.dialects.base import Dialect

__all__ = ["adbc", "base", "dialect_of", "duckdb", "generic", "postgresql", "sqlite"]

_ALIASES = {"postgres": "postgresql"}


def dialect_of(backend: str) -> Dialect:
    """The dialect of a SQLAlchemy backend, such as 'postgresql'; only its own file is imported."""
    name = f"{__name__}.{_ALIASES.get(backend, backend)}"
    if importlib.util.find_spec(name) is not None:
        found: Dialect | None = getattr(importlib.import_module(name), "DIALECT", None)
        if found is not None:
            return found
    return generic.DIALECT
