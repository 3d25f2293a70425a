"""Parses JSON bodies, and finds values and texts in them by dotted paths. Nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_json(body: bytes) -> Any:
    """Parse a JSON body, also behind a byte order mark; None where it is no JSON."""
    try:
        return orjson.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return None


def value_at(body: Any, path: str) -> Any:
    """Return the value at a path, or None. A number steps into a list."""
    for key in path.split("."):
        if isinstance(body, list) and key.isdigit() and int(key) < len(body):
            body = body[int(key)]
        elif isinstance(body, dict):
            body = body.get(key)
        else:
            return None
    return body


def values_at(body: Any, path: str) -> list[Any]:
    """Return all values at a path; `*` steps into every entry of a list."""
    values = [body]
    for key in path.split("."):
        if key == "*":
            values = [entry for value in values if isinstance(value, list) for entry in value]
        else:
            values = [value[key] for value in values if isinstance(value, dict) and key in value]
    return values


def texts_at(body: Any, path: str) -> list[str]:
    """Return the texts and numbers at a path as texts.

    `*` steps into every entry of a list; `a/b` joins two with a slash.
    """
    if "*" in path:
        found = map(plain_text, values_at(body, path))
        return [text for text in found if text is not None]
    parts = [plain_text(value_at(body, part)) for part in path.split("/")]
    present = [part for part in parts if part is not None]
    return ["/".join(present)] if len(present) == len(parts) else []


def first_text(body: Any, paths: Sequence[str]) -> str | None:
    """Return the first text or number that stands at one of the paths."""
    found = (plain_text(value_at(body, path)) for path in paths)
    return next((text for text in found if text is not None), None)


def texts_with_parent(body: Any, paths: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the texts at the paths (with `*`), each behind the object that holds it."""
    for path in paths:
        parent, _, key = path.rpartition(".")
        for entry in values_at(body, parent) if parent else [body]:
            if isinstance(entry, dict) and isinstance(entry.get(key), str):
                yield entry, entry[key]


def plain_text(value: Any) -> str | None:
    """Return a text or whole number as text, anything else as None."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def whole_number(digits: str) -> int | None:
    """Return a count or position; None where it is none, or longer than any can be.

    Python refuses to read very long ones.
    """
    return int(digits) if len(digits) <= 9 and digits.isascii() and digits.isdigit() else None
