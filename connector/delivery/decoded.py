"""Ways to read a text that may hold encoded parts: percent, HTML, JSON, hex and base64 forms.

A reading is bytes, each with the characters of the text that it stands for, so that what is found
in it can be taken out of the text. Parts of encoded values are found too, wherever they begin.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from typing import NamedTuple

Span = tuple[int, int]
"""First character and the one behind the last."""

_ESCAPE = re.compile(
    rb"""
    %[0-9A-Fa-f]{2}
    | &\#[xX]?[0-9A-Fa-f]{1,7};? | &[A-Za-z][A-Za-z0-9]{1,30};
    | (?:\\u[0-9A-Fa-f]{4})+ | \\x[0-9A-Fa-f]{2} | \\[\\/"'bfnrt]
    | \+
    """,
    re.VERBOSE,
)
_LETTER = {b"b": b" ", b"f": b" ", b"n": b" ", b"r": b" ", b"t": b" "}

_HEX = re.compile(rb"[0-9A-Fa-f]{6,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{4,}")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
NO_LETTER = re.compile(rb"[^0-9A-Za-z\x80-\xff]+")
"""Spaces and punctuation."""

_MAX_LAYERS = 3
"""Escapes around escapes that are looked through."""


class Reading(NamedTuple):
    """One way to read a text.

    Attributes:
        content: The text as bytes.
        spans: For each byte, the characters of the original text that it stands for.
    """

    content: bytes
    spans: list[Span]


def readings(text: str) -> Iterator[Reading]:
    """Yield the ways to read a text: as it is, unescaped, and each with hex and base64 decoded."""
    for unescaped in _layers(as_it_is(text)):
        yield unescaped
        for decoded in (*_decoded_hex(unescaped), *_decoded_base64(unescaped)):
            yield from _layers(decoded)


def without_punctuation(reading: Reading) -> Reading:
    """Leave out all that is neither letter nor digit."""
    kept = NO_LETTER.sub(b"", reading.content)
    if len(kept) == len(reading.content):
        return reading
    dropped = {
        place
        for match in NO_LETTER.finditer(reading.content)
        for place in range(match.start(), match.end())
    }
    spans = [span for place, span in enumerate(reading.spans) if place not in dropped]
    return Reading(kept, spans)


def folded(reading: Reading) -> Reading:
    """Convert to lower case, and any space to the plain one."""
    if reading.content.isascii():
        return Reading(reading.content.lower(), reading.spans)
    content, spans, place = bytearray(), list[Span](), 0
    for char in reading.content.decode("utf-8", "surrogateescape"):
        length = len(char.encode("utf-8", "surrogateescape"))
        lower = b" " if char.isspace() else char.lower().encode("utf-8", "surrogateescape")
        content += lower
        spans += [(reading.spans[place][0], reading.spans[place + length - 1][1])] * len(lower)
        place += length
    return Reading(bytes(content), spans)


def as_it_is(text: str) -> Reading:
    """Read a text without decoding anything."""
    content, spans = bytearray(), list[Span]()
    for place, char in enumerate(text):
        encoded = char.encode("utf-8", "replace")
        content += encoded
        spans += [(place, place + 1)] * len(encoded)
    return Reading(bytes(content), spans)


def _layers(reading: Reading) -> Iterator[Reading]:
    """Yield a reading, and what it says without its escapes."""
    for _ in range(_MAX_LAYERS):
        yield reading
        unescaped = _unescaped(reading)
        if unescaped is None:
            return
        reading = unescaped
    yield reading


def _unescaped(reading: Reading) -> Reading | None:
    """Replace each escape by what it stands for; None where there is none."""
    content, spans, end = bytearray(), list[Span](), 0
    for match in _ESCAPE.finditer(reading.content):
        start, stop = match.span()
        meant = _meaning(match.group())
        content += reading.content[end:start] + meant
        spans += reading.spans[end:start]
        spans += [(reading.spans[start][0], reading.spans[stop - 1][1])] * len(meant)
        end = stop
    if not end:
        return None
    return Reading(bytes(content + reading.content[end:]), spans + reading.spans[end:])


def _meaning(escape: bytes) -> bytes:
    """Return what an escape stands for."""
    if escape == b"+":
        return b" "
    if escape.startswith(b"%"):
        return bytes.fromhex(escape[1:].decode())
    if escape.startswith(b"&"):
        return html.unescape(escape.decode()).encode("utf-8", "replace")
    if escape.startswith(b"\\u"):
        units = bytes.fromhex(escape.replace(b"\\u", b"").decode())
        return units.decode("utf-16-be", "replace").encode("utf-8", "replace")
    if escape.startswith(b"\\x"):
        return chr(int(escape[2:], 16)).encode()
    return _LETTER.get(escape[1:], escape[1:])


def _decoded_hex(reading: Reading) -> Iterator[Reading]:
    for match in _HEX.finditer(reading.content):
        for start in (match.start(), match.start() + 1):
            stop = match.end() - (match.end() - start) % 2
            content = bytes.fromhex(reading.content[start:stop].decode())
            yield Reading(
                content,
                [
                    (reading.spans[place][0], reading.spans[place + 1][1])
                    for place in range(start, stop, 2)
                ],
            )


def _decoded_base64(reading: Reading) -> Iterator[Reading]:
    """Decode at each place of four, because a part may begin anywhere."""
    for match in _BASE64.finditer(reading.content):
        for start in range(match.start(), min(match.start() + 4, match.end() - 1)):
            stop = match.end()
            if (stop - start) % 4 == 1:
                stop -= 1
            encoded = reading.content[start:stop].translate(_TO_STANDARD)
            content = base64.b64decode(encoded + b"=" * (-len(encoded) % 4))
            spans = [
                (
                    reading.spans[start + 8 * place // 6][0],
                    reading.spans[start + (8 * place + 7) // 6][1],
                )
                for place in range(len(content))
            ]
            yield Reading(content, spans)
