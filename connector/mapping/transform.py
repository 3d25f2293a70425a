"""`transform: package.module:function`: a function of the user's own over each page.

It takes a page as a pandas DataFrame of canonical and `extra.` columns with Arrow-backed dtypes,
and returns one with the same index. It runs before normalising. Given the same rows it must give
the same values, or a row that is sent again would not be the same.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from connector.arrow import pandas_import
from connector.arrow.composite_key import SEPARATOR
from connector.arrow.convert import to_frame, to_table
from connector.config.destination import Destination
from connector.config.personal_keys import is_personal
from connector.errors import ConfigError
from connector.platforms.columns import COLUMNS, EXTRA
from connector.syntax.spelling import suggest


class Transform:
    """The function that a destination's YAML names."""

    def __init__(self, destination: Destination) -> None:
        """Import it.

        Raises:
            ConfigError: It is not there, or its module cannot be imported.
        """
        self._destination, self._name = destination, str(destination.model.transform)
        self._function = self._import()

    def apply(self, table: pa.Table, keys: pa.Array) -> pa.Table:
        """Call it with a page.

        Args:
            table: Canonical and `extra.` columns, shape (n, columns).
            keys: Key text of each row, shape (n,), to name the row that it fails at.

        Raises:
            ConfigError: It raised, or did not return what it should.
        """
        if not table.num_rows:
            return table
        frame = to_frame(table)
        try:
            result = self._function(frame.copy(deep=False))
        except Exception as error:  # noqa: BLE001  whatever it is, its text may quote a row
            row = self._first_failing(frame)
            raise self._error(f"raised {_described(error)} {self._place(keys, row)}") from None
        self._refuse_other_shape(frame, result)
        try:
            return to_table(result)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            named = ", ".join(name for name in result if not _is_convertible(result[name]))
            raise self._error(
                f"returned a column that holds values of several types: {named}"
            ) from None

    def _import(self) -> Callable[[pd.DataFrame], Any]:
        pandas_import.require()
        module_name, _, name = self._name.partition(":")
        try:
            with _importable_from(self._destination.root):
                module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise self._error(f"cannot be imported: there is no module {error.name}") from None
        except Exception as error:  # noqa: BLE001  any line of a module may fail
            raise self._error(f"cannot be imported: {_described(error)}") from None
        function = getattr(module, name, None)
        if not callable(function):
            hint = suggest(name, vars(module))
            raise self._error(f"is not there: {module_name} has no function {name}{hint}")
        found: Callable[[pd.DataFrame], Any] = function
        return found

    def _first_failing(self, frame: pd.DataFrame) -> int | None:
        """The first row at which the function fails also alone; None where no single row does."""
        first, last = 0, len(frame)
        if last and not self._fails(frame):
            return None
        while last - first > 1:
            middle = (first + last) // 2
            if self._fails(frame.iloc[first:middle]):
                last = middle
            elif self._fails(frame.iloc[middle:last]):
                first = middle
            else:
                return None
        return first if last else None

    def _fails(self, frame: pd.DataFrame) -> bool:
        try:
            self._function(frame.copy(deep=False))
        except Exception:  # noqa: BLE001  that is the question
            return True
        return False

    def _place(self, keys: pa.Array, row: int | None) -> str:
        if row is None:
            return f"for a page of {len(keys)} rows, though for none of them alone"
        parts = keys[row].as_py().split(SEPARATOR)
        if is_personal(self._destination, parts):
            return f"at row {row} of a page; its key is personal, and not shown"
        return f"at the row with key {' '.join(parts)}"

    def _refuse_other_shape(self, frame: pd.DataFrame, result: Any) -> None:
        if not isinstance(result, pd.DataFrame):
            raise self._error(f"must return a DataFrame, and returned {type(result).__name__}")
        if not frame.index.equals(result.index):
            raise self._error(
                f"must return a DataFrame with the index of the one it was given ({len(frame)}"
                f" rows), and returned {len(result)} rows with another index; to leave a row out,"
                " set its opt_out to true"
            )
        unknown = [
            str(name) for name in result.columns if name not in COLUMNS and name not in frame
        ]
        if unknown:
            raise self._error(
                f"returned columns that are not canonical: {', '.join(unknown)}"
                f"{suggest(unknown[0], COLUMNS)}"
            )
        given = map(str, frame.columns)
        lost = [name for name in given if name.startswith(EXTRA) and name not in result]
        if lost:
            raise self._error(f"left out columns that `extra` sends: {', '.join(lost)}")

    def _error(self, what: str) -> ConfigError:
        name = self._destination.name
        return ConfigError(f"{name}: transform {self._name} {what}", at=("transform",))


def _described(error: Exception) -> str:
    """An exception by its class and its line, without its text."""
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [each for each in frames if "site-packages" not in each.filename] or list(frames)
        file, line = ours[-1].filename, ours[-1].lineno
    return f"{type(error).__name__} in {os.path.basename(file)}:{line}"


def _is_convertible(column: pd.Series[Any]) -> bool:
    try:
        pa.Array.from_pandas(column)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


@contextlib.contextmanager
def _importable_from(root: Path) -> Iterator[None]:
    """Let modules of a project's folder be imported within this block."""
    sys.path.append(str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
