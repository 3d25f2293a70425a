"""Click ids and browser cookies, among them Meta's `fbc`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.identifiers import click_ids
from connector.platforms.functions.registry import Context, Values, function, register_columnwise
from connector.platforms.functions.times import floored

register_columnwise(
    click_ids.click_id, click_ids.fb_browser, click_ids.fb_click, click_ids.click_uuid
)


@function("fbc_of_click")
def fbc_of_click(clicks: pa.Array, context: Context, _argument: str | None) -> Values:
    """Meta's `fbc` from a bare `fbclid`: `fb.1.{milliseconds}.{fbclid}`.

    The event's time stands in for the click's.
    """
    milliseconds = floored(context.column("event_time"), "ms").cast(pa.int64())
    return pc.binary_join_element_wise("fb.1", milliseconds.cast(pa.string()), clicks, ".")
