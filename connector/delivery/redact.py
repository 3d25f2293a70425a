"""What is kept of a platform's words: as a rule only those that its file knows.

A platform may repeat what was sent to it, whole or in part and in any encoding. Its own words are
kept only where a destination asks for them, and then without anything that was sent or that looks
like a person.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal

import orjson

from connector.arrow.records import Place
from connector.delivery.decoded import (
    NO_LETTER,
    Reading,
    Span,
    as_it_is,
    folded,
    readings,
    without_punctuation,
)
from connector.delivery.located import NO_CODE
from connector.delivery.outcome import Refusal
from connector.model import Refused
from connector.platforms.answers import Codes

MAX_MESSAGE = 200
"""Characters of a message that are kept."""

MAX_READ = 2048
"""Characters of a message that are looked at; the rest is dropped unread."""

UNREGISTERED = "unregistered"
"""Stands for a word that the platform file does not know."""

MAX_CODE, MAX_FIELD = 64, 128
"""Characters; as many as their columns take."""

_RUN = 6
"""Bytes in a row that a message may not share with what was sent."""

_MIN_VALUE = 3
"""Values and words shorter than this are in every sentence; they tell nothing."""

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

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ERROR_NUMBER = re.compile(r"-?\d{1,5}")
_HTTP_STATUS = re.compile(r"[1-5]\d\d")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ONE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS = re.compile(rb"[0-9a-z\x80-\xff]+"), re.compile(rb"[0-9a-z]+")
"""With other letters than ASCII, and, because other quotes are among these, without."""


class Redactor:
    """Decides what is kept of what a platform says.

    Args:
        keep: `none`: of a code what the platform file registers, of a field the names that we gave
            it, of a message nothing. `redacted`: all three, without what was sent.
        codes: the platform file's.
        names: of fields and columns, which are the same whatever the rows hold.
        impersonal: places in a record where there is nothing of a person.
        secrets: credentials, which some platforms take in the body and may quote.
    """

    def __init__(
        self,
        keep: Literal["none", "redacted"] = "none",
        codes: Codes | None = None,
        names: Iterable[str] = (),
        impersonal: Collection[Place] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        self._keep, self._codes = keep, codes or Codes()
        self._names = {name.lower(): name for name in names}
        self._impersonal, self._secrets = impersonal, secrets

    def refused(self, refusal: Refusal, record: bytes, beside: Sequence[str] = ()) -> Refused:
        """Return what is kept of a refusal.

        Args:
            refusal: in the platform's words.
            record: JSON of the record that was refused.
            beside: what its request said of it beside the record.
        """
        code, message, field = refusal
        secrets = [*self._secrets, *beside]
        kind = hash(code)
        if self._keep == "none":
            return Refused(self._known_code(code), None, self._known_names(field), kind)
        if code not in self._codes.known:
            code = redact_code(code, record, MAX_CODE, self._impersonal, secrets)
        if field:
            field = redact_code(field, record, MAX_FIELD, self._impersonal, secrets)
        return Refused(code, redact(message, record, secrets), field or None, kind)

    def word(self, word: str, known: Collection[str], max_length: int) -> str:
        """Return what is kept of a word that is told of many records together."""
        if word in known:
            return word
        if self._keep == "none":
            return UNREGISTERED
        return redact_code(word, b"{}", max_length, secrets=self._secrets)

    def _known_code(self, code: str) -> str:
        """Return the code as the platform file registers it, or an HTTP status."""
        if code == NO_CODE or _HTTP_STATUS.fullmatch(code):
            return code
        return self._codes.registered(code) or UNREGISTERED

    def _known_names(self, field: str | None) -> str | None:
        """Return the names in a path that are ours, joined by dots."""
        said = (field or "")[:MAX_FIELD]
        names = (self._names.get(name.lower()) for name in _NAME.findall(said))
        return ".".join(name for name in names if name is not None)[:MAX_FIELD] or None


def redact(
    message: str, record: bytes, secrets: Sequence[str] = (), impersonal: Collection[Place] = ()
) -> str:
    """Take the values of a record, and fragments of them, out of a platform's message about it.

    A fragment is a word of a value, or any six bytes in a row. It is found as it is and in percent,
    HTML, JSON, hex and base64 form, with and without punctuation.

    Args:
        message: The platform's words.
        record: JSON, of one record or of a list.
        secrets: Credentials, which some platforms take in the body and may quote with it.
        impersonal: Places in a record whose values may stay.

    Returns:
        At most `MAX_MESSAGE` characters.
    """
    text = _one_line(message[:MAX_READ])
    sent = _Sent([orjson.loads(record), list(secrets)], impersonal)
    spans = [match.span() for match in _PATTERNS.finditer(text)]
    for reading in readings(text):
        spans += sent.fragments_in(reading)
    return _without(text, sorted(set(spans)))[:MAX_MESSAGE]


def redact_code(
    code: str,
    record: bytes,
    max_length: int,
    impersonal: Collection[Place] = (),
    secrets: Sequence[str] = (),
) -> str:
    """Redact a platform's error code or field.

    A short number names nobody, even where the record holds it too. The same is true of what a
    single word, such as `purchase_without_value`, shares with the values at impersonal places.

    Args:
        code: The platform's code, or the path of a field.
        record: JSON, of one record or of a list.
        max_length: Characters that are kept.
        impersonal: Places in a record whose values may stay.
        secrets: Credentials, of which nothing may stay.
    """
    if _ERROR_NUMBER.fullmatch(code):
        return code
    kept = impersonal if _ONE_WORD.fullmatch(code) else ()
    return redact(code, record, secrets, kept)[:max_length]


class _Sent:
    """Fragments of what could describe a person or an order, to be found again in a reading."""

    def __init__(self, content: Any, impersonal: Collection[Place]) -> None:
        self._runs, self._words, self._short = set[bytes](), set[bytes](), set[bytes]()
        for value in set(_values(content, impersonal, ())):
            reading = _as_compared(_one_line(value))
            for part in (reading, NO_LETTER.sub(b"", reading)):
                self._runs.update(_runs_of(part))
            if _MIN_VALUE <= len(reading) < _RUN:
                self._short.add(reading)
            for pattern in _WORDS:
                words = pattern.findall(reading)
                self._words.update(word for word in words if len(word) >= _MIN_VALUE)

    def fragments_in(self, reading: Reading) -> Iterator[Span]:
        """Yield the spans of characters that stand for fragments."""
        reading = folded(reading)
        for each in {id(part): part for part in (reading, without_punctuation(reading))}.values():
            for start, run in enumerate(_runs_of(each.content)):
                if run in self._runs:
                    yield _span(each, start, start + _RUN)
        for value in self._short:
            start = reading.content.find(value)
            while start >= 0:
                yield _span(reading, start, start + len(value))
                start = reading.content.find(value, start + 1)
        for pattern in _WORDS:
            for match in pattern.finditer(reading.content):
                if match.group() in self._words:
                    yield _span(reading, *match.span())


def _runs_of(content: bytes) -> Iterator[bytes]:
    return (content[start : start + _RUN] for start in range(len(content) - _RUN + 1))


def _span(reading: Reading, start: int, stop: int) -> Span:
    return reading.spans[start][0], reading.spans[stop - 1][1]


def _as_compared(value: str) -> bytes:
    """Fold a value as readings are folded."""
    return folded(as_it_is(value)).content


def _without(text: str, spans: list[Span]) -> str:
    """Put stars in place of these parts, given in order; parts that touch become one."""
    kept: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not kept:
            kept += [text[end:start], "***"]
        end = max(end, stop)
    return "".join(kept) + text[end:]


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
