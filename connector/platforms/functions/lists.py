"""Lists inside a row."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa

from connector.arrow.bytes import EDGES
from connector.arrow.text import exact_text, parsed_json
from connector.platforms.functions.registry import Context, Json, Values, function

MAX_ENTRIES = 1000
"""A longer list in one row is a mistake of the query, and would fill a request by itself."""


@function("text_list", takes="any", normaliser=True, last=True)
def text_list(values: pa.Array, _context: Context, _argument: str | None) -> Values:
    """A list, as JSON text or a nested column, as JSON list of texts.

    Null where it is no list, an empty one, or has more than 1,000 entries.
    """
    return Json(pa.array([_list_of_texts(value) for value in values.to_pylist()], pa.string()))


def _list_of_texts(value: Any) -> str | None:
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
    except ValueError:
        return None
    texts = (
        [(exact_text(item) or "").strip(EDGES) for item in parsed if item is not None]
        if isinstance(parsed, list)
        else []
    )
    kept = [text for text in texts if text]
    return orjson.dumps(kept).decode() if 0 < len(kept) <= MAX_ENTRIES else None
