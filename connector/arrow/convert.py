"""Whatever a driver returns -> Arrow columns -> pandas frames with Arrow-backed dtypes.

pandas turns integers with a NULL into floats, phones into `15551234567.0` and NULLs into the text
'nan'. So columns are built as Arrow arrays from the driver's own values, and pandas only carries
them. It is imported late: a run that finds nothing to send does without it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connector.arrow.text import any_text

if TYPE_CHECKING:
    import pandas as pd


def to_frame(table: pa.Table) -> pd.DataFrame:
    """A pandas frame over the table's own memory; every dtype is a `pandas.ArrowDtype`."""
    import pandas as pd  # late, for start-up speed

    return table.to_pandas(types_mapper=pd.ArrowDtype, split_blocks=True)


def to_table(frame: pd.DataFrame) -> pa.Table:
    """The Arrow table behind a frame of `to_frame`, or one converted from any other frame."""
    return pa.Table.from_pandas(frame, preserve_index=False, nthreads=1).replace_schema_metadata(
        None
    )


def array_of_values(values: Sequence[Any]) -> pa.Array:
    """Python values as one Arrow array.

    Values that share a type keep it; otherwise each becomes exact text. If one of the texts is not
    valid Unicode, all are returned as bytes, and `text_array` makes null of that one.
    """
    if isinstance(next((value for value in values if value is not None), None), str):
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            return pa.array(values, pa.string())
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) != 1 or not kinds <= _EXACT_KINDS:
        return _array_of_texts(values)
    if kinds == {dt.datetime}:
        return _array_of_datetimes(values)
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return _array_of_texts(values)


_EXACT_KINDS = {bool, int, float, decimal.Decimal, bytes, dt.date, dt.datetime}
"""Types of Python that Arrow has exactly; it would drop the zone of a time, for example."""


def _array_of_texts(values: Sequence[Any]) -> pa.Array:
    texts = [any_text(value) for value in values]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [text if text is None else text.encode("utf-8", "surrogatepass") for text in texts],
            pa.binary(),
        )


def _array_of_datetimes(values: Sequence[dt.datetime | None]) -> pa.Array:
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if zoned == {True}:
        return pa.array(values, pa.timestamp("us", "UTC"))
    if zoned == {False}:
        return pa.array(values, pa.timestamp("us"))
    return pa.array([value and value.isoformat() for value in values], pa.string())
