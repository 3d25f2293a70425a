"""Words of a platform, made fit to be kept: nothing that was sent and nothing that looks like a person stays in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

LONGEST = 200

_PATTERNS = re.compile(
    r"""
    [^\s@"'<>]+@[^\s@"'<>]+             # an e-mail address
    | \b[0-9A-Fa-f]{32,}\b              # a digest
    | [A-Za-z0-9+/_-]{40,}={0,2}        # a token
    | \b[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{20,}\b    # a UUID
    | \+?\d[\d\s().-]{6,}\d             # a phone number, or any long number
    | \b(?:\d{1,3}\.){3}\d{1,3}\b       # an IPv4 address
    | \b(?:[0-9A-Fa-f]{1,4}:){3,}[0-9A-Fa-f:]*  # an IPv6 address
    """,
    re.VERBOSE,
)

_SHORTEST = 3
"""Values shorter than this are in every sentence; they tell nothing."""


def redact(message: str, record: bytes) -> str:
    """A platform's message about a record, at most 200 characters, with every value of the record taken out."""
    text = _PATTERNS.sub("***", message.replace("\n", " "))
    for value in sorted(set(_values(orjson.loads(record))), key=len, reverse=True):
        text = re.sub(re.escape(value), "***", text, flags=re.IGNORECASE)
    return text[:LONGEST]


def _values(node: Any) -> Iterator[str]:
    """Values of a record that could describe its person or order: texts and numbers, but not names of events and fields."""
    if isinstance(node, dict):
        for value in node.values():
            yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)
    elif isinstance(node, str | int | float) and not isinstance(node, bool) and len(str(node)) >= _SHORTEST:
        yield str(node)
