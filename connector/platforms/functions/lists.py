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


@function("pairs", takes="any", normaliser=True, last=True)
def pairs(values: pa.Array, _context: Context, argument: str | None) -> Values:
    """An object, as JSON text or a nested column, as list of pairs; null where it is none.

    `pairs(variable,value)` makes `[{"variable": "tier", "value": "gold"}]` of `{"tier": "gold"}`.
    Values are written as texts; those that are null are left out, and those with an @, which may
    be somebody's address.
    """
    name, _, value = (part.strip() for part in (argument or "").partition(","))
    return Json(pa.array([_pairs(each, name, value) for each in values.to_pylist()], pa.string()))


def _pairs(value: Any, name_key: str, value_key: str) -> str | None:
    try:
        parsed = parsed_json(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if isinstance(parsed, list) and parsed and all(isinstance(each, tuple) for each in parsed):
        parsed = dict(parsed)  # of a column of maps
    if not isinstance(parsed, dict):
        return None
    found = [(exact_text(key), exact_text(entry)) for key, entry in parsed.items()]
    kept = [
        {name_key: key, value_key: text}
        for key, text in found
        if key and text and "@" not in key + text
    ]
    return orjson.dumps(kept).decode() if 0 < len(kept) <= MAX_ENTRIES else None


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
