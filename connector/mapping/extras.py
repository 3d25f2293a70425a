"""Columns of the query that a destination adds to its records."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.text import real_text
from connector.arrow.times import iso_times, utc
from connector.platforms.expression import Pipeline
from connector.platforms.functions import TAKES, Json, Values
from connector.platforms.functions.typed import booleans, texts


def extra_values(column: pa.Array, pipeline: Pipeline, time_zone: str | None) -> Values:
    """A column as the first function of its pipeline takes it, or ready to be written.

    Args:
        column: Values of any type, shape (n,).
        pipeline: What becomes of them.
        time_zone: Zone of naive times.
    """
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if not pipeline.calls:
        return _by_own_type(column)
    taken = TAKES[pipeline.calls[0].name]
    if taken == "any":
        return column
    if taken == "flag":
        return booleans(column)
    if taken == "time":
        return _times(column, time_zone)
    return texts(column)


def _by_own_type(values: pa.Array) -> Values:
    """Booleans and numbers as such, everything else as text."""
    if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type):
        return values
    if pa.types.is_floating(values.type):
        return Json(real_text(pc.if_else(pc.is_finite(values), values, None)))
    return Json(texts(values)) if pa.types.is_decimal(values.type) else texts(values)


def _times(values: pa.Array, time_zone: str | None) -> pa.Array:
    """Instants from timestamps and ISO 8601 text; null for anything else."""
    if pa.types.is_timestamp(values.type):
        return utc(values, time_zone).cast(pa.timestamp("us", "UTC"), safe=False)
    return iso_times(texts(values), time_zone)
