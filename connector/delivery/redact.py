"""Makes words of a platform fit to be kept: without what was sent or looks like a person."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson

from connector.arrow.records import Place

MAX_MESSAGE = 200
"""Characters of a message that are kept."""

MAX_READ = 2048
"""Characters of a message that are looked at; the rest is dropped unread."""

_PATTERNS = re.compile(
    r"""
    (?<![^\s@"<>])[^\s@"<>]+@[^\s@"<>]+  # an e-mail address and what is joined to it; it begins
                                         # where a word begins, so that each is tried once
    | \b[0-9A-Fa-f]{32,}\b                  # a digest
    | [A-Za-z0-9+/_-]{40,}={0,2}            # a token
    | \b[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{20,}\b  # a UUID
    | \+?\d[\d\s().-]{6,}\d                 # a phone number, or any long number
    | \b(?:\d{1,3}\.){3}\d{1,3}\b           # an IPv4 address
    | \b(?:[0-9A-Fa-f]{1,4}:){3,}[0-9A-Fa-f:]*  # an IPv6 address
    """,
    re.VERBOSE,
)

_MIN_VALUE = 3
"""Values shorter than this are in every sentence; they tell nothing."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN_CODE = re.compile(r"-?\d{1,7}")
_ONE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def redact(
    message: str, record: bytes, secrets: Sequence[str] = (), impersonal: Collection[Place] = ()
) -> str:
    """Take every value of a record out of a platform's message about it.

    Values are found as they are, and as an address, JSON or HTML would write them.

    Args:
        message: the platform's words.
        record: JSON, of one record or of a list.
        secrets: credentials, which some platforms take in the body and may quote with it.
        impersonal: places in a record whose values may stay.

    Returns:
        At most `MAX_MESSAGE` characters.
    """
    text = _one_line(message[:MAX_READ])
    folded = _folded(text)
    spans = [match.span() for match in _PATTERNS.finditer(text)]
    for value in set(_written([orjson.loads(record), list(secrets)], impersonal)):
        start = folded.find(value)
        while start >= 0:
            spans.append((start, start + len(value)))
            start = folded.find(value, start + 1)
    return _without(text, sorted(spans))[:MAX_MESSAGE]


def redact_code(
    code: str, record: bytes, max_length: int, impersonal: Collection[Place] = ()
) -> str:
    """Redact a platform's error code or field.

    A short number names nobody, also where the record holds it too; nor does what a single word,
    such as `purchase_without_value`, shares with the values at impersonal places.
    """
    if _PLAIN_CODE.fullmatch(code):
        return code
    kept = impersonal if _ONE_WORD.fullmatch(code) else ()
    return redact(code, record, impersonal=kept)[:max_length]


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Put stars in place of these parts, given in order; parts that touch become one."""
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not kept:
            kept += [text[end:start], "***"]
        end = max(end, stop)
    return "".join(kept) + text[end:]


def _written(node: Any, impersonal: Collection[Place]) -> Iterator[str]:
    """Yield what could describe a person or an order, in every writing, folded."""
    for value in _values(node, impersonal, ()):
        for writing in {value} if value.isalnum() and value.isascii() else _writings(value):
            folded = _folded(_one_line(writing))
            if len(folded) >= _MIN_VALUE:
                yield folded


def _writings(value: str) -> set[str]:
    quoted = {
        urllib.parse.quote(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
    }
    escaped = html.escape(value)
    return {
        value,
        *quoted,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        escaped,
        escaped.replace("&#x27;", "&#39;"),
    }


def _values(node: Any, impersonal: Collection[Place], place: Place) -> Iterator[str]:
    """Yield texts and numbers of a record, but not names of fields."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, impersonal, (*place, key))
    elif isinstance(node, list):
        for value in node:
            yield from _values(value, impersonal, place)
    elif (
        isinstance(node, str | int | float)
        and not isinstance(node, bool)
        and place not in impersonal
    ):
        yield str(node)


def _one_line(text: str) -> str:
    """Use single spaces, and none of the characters that some databases refuse."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _folded(text: str) -> str:
    """Convert to lower case without changing the length."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
