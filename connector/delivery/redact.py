"""Words of a platform, made fit to be kept: nothing that was sent and nothing that looks like a person stays in them."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson

from connector.arrow.records import Place

LONGEST = 200

_PATTERNS = re.compile(
    r"""
    (?<![^\s@"<>])[^\s@"<>]+@[^\s@"<>]+     # an e-mail address, and what is joined to it; begins where a word begins, so that each is tried once
    | \b[0-9A-Fa-f]{32,}\b                  # a digest
    | [A-Za-z0-9+/_-]{40,}={0,2}            # a token
    | \b[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{20,}\b  # a UUID
    | \+?\d[\d\s().-]{6,}\d                 # a phone number, or any long number
    | \b(?:\d{1,3}\.){3}\d{1,3}\b           # an IPv4 address
    | \b(?:[0-9A-Fa-f]{1,4}:){3,}[0-9A-Fa-f:]*  # an IPv6 address
    """,
    re.VERBOSE,
)

_SHORTEST = 3
"""Values shorter than this are in every sentence; they tell nothing."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN_CODE = re.compile(r"-?\d{1,7}")
_ONE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def redact(
    message: str, record: bytes, secrets: Sequence[str] = (), impersonal: Collection[Place] = ()
) -> str:
    """A platform's message about a record, at most 200 characters, with every value of the record taken out.

    record: JSON, of one record or of a list. Values are found as they are and as an address, JSON or HTML would write them. secrets:
    credentials, which some platforms take in the body and may quote with it. impersonal: places in a record whose values may stay.
    """
    text = _one_line(message)
    folded = _folded(text)
    spans = [match.span() for match in _PATTERNS.finditer(text)]
    for value in set(_written([orjson.loads(record), list(secrets)], impersonal)):
        start = folded.find(value)
        while start >= 0:
            spans.append((start, start + len(value)))
            start = folded.find(value, start + 1)
    return _without(text, sorted(spans))[:LONGEST]


def redact_code(code: str, record: bytes, longest: int, impersonal: Collection[Place] = ()) -> str:
    """A platform's error code or field, at most so many characters.

    A short number names nobody, also where the record holds it too; nor does what a single word, such as `purchase_without_value`,
    shares with the values at impersonal places.
    """
    return (
        code
        if _PLAIN_CODE.fullmatch(code)
        else redact(code, record, impersonal=impersonal if _ONE_WORD.fullmatch(code) else ())[
            :longest
        ]
    )


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with stars in place of these parts, in order; parts that touch are one."""
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not kept:
            kept += [text[end:start], "***"]
        end = max(end, stop)
    return "".join(kept) + text[end:]


def _written(node: Any, impersonal: Collection[Place]) -> Iterator[str]:
    """Values of a record that could describe its person or order, in every writing, folded."""
    for value in _values(node, impersonal, ()):
        for writing in {value} if value.isalnum() and value.isascii() else _writings(value):
            folded = _folded(_one_line(writing))
            if len(folded) >= _SHORTEST:
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
    """Texts and numbers of a record, but not names of fields."""
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
    """Single spaces, and none of the characters that some databases refuse."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _folded(text: str) -> str:
    """In lower case, and exactly as long."""
    lower = text.lower()
    return (
        lower
        if len(lower) == len(text)
        else "".join(each.lower() if len(each.lower()) == 1 else each for each in text)
    )
