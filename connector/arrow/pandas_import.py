"""Keeps pyarrow from importing pandas, which takes longer than a small run.

pyarrow imports pandas when it first converts a Python value, to see whether the value belongs to
pandas. Where that fails it goes on without, and imports pandas when a frame is asked for
(`pyarrow/pandas-shim.pxi`: `_have_pandas_internal`, `_check_import`). That holds for the whole
process, in which a value of pandas would no longer be known for one, so only the command line
postpones the import: there frames come from `to_frame` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

import pyarrow as pa


def postpone() -> None:
    """Have pyarrow do without pandas until `require`; nothing changes where it is imported."""
    if "pandas" in sys.modules:
        return
    refusing = _Refuse()
    sys.meta_path.insert(0, refusing)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(refusing)


class _Refuse(MetaPathFinder):
    """Stands before the finders of modules, and has none for pandas."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is imported when a frame asks for it", name=name)


def require() -> None:
    """Have pyarrow import pandas, where it has not."""
    pa.nulls(0).to_pandas()


def require_for(schema: pa.Schema) -> None:
    """Import pandas where Python's own times are too coarse for a column: nanoseconds."""
    if any("[ns" in str(kind) for kind in schema.types):
        require()
