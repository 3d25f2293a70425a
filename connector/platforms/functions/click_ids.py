"""Click ids and browser cookies, among them Meta's `fbc`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.identifiers import click_ids
from connector.platforms.functions.registry import Context, Values, function, register_columnwise
from connector.platforms.functions.times import floored

register_columnwise(click_ids.fb_browser, click_ids.fb_click)


@function("click_id", normaliser=True)
def click_id(ids: pa.Array, _context: Context, argument: str | None) -> Values:
    """A bare click id, also out of an address or a query string, where the argument is its name."""
    return click_ids.click_id(ids, argument)


@function("click_uuid", normaliser=True)
def click_uuid(ids: pa.Array, _context: Context, argument: str | None) -> Values:
    """As `click_id`, a UUID alone."""
    return click_ids.click_uuid(ids, argument)


@function("fbc_of_click")
def fbc_of_click(clicks: pa.Array, context: Context, _argument: str | None) -> Values:
    """Meta's `fbc` from a bare `fbclid`: `fb.1.{milliseconds}.{fbclid}`.

    The event's time stands in for the click's. A value that is a cookie already stays as it is.
    """
    milliseconds = floored(context.column("event_time"), "ms").cast(pa.int64())
    made = pc.binary_join_element_wise("fb.1", milliseconds.cast(pa.string()), clicks, ".")
    return pc.if_else(pc.match_substring_regex(clicks, r"^fb\.[0-2]\.\d+\."), clicks, made)
