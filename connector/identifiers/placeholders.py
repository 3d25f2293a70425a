"""Texts that stand where there is no value. Nothing that is equal to one of them leaves, plain or as a digest."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import first_octets, lower, offsets

PLACEHOLDERS = frozenset(
    {
        "",
        "null",
        "none",
        "nan",
        "nat",
        "<na>",
        "n/a",
        "#n/a",
        "-",
        "--",
        "undefined",
        "unknown",
        "[redacted]",
        "redacted",
        "(not set)",
    }
)
"""Texts, in lower case, that systems write where there is no value."""

_ADDRESSES = (
    "test@test.com",
    "test@example.com",
    "a@example.com",
    "a@a.com",
    "asdf@asdf.com",
    "no@no.com",
    "email@email.com",
    "noreply@example.com",
)

_LONGEST = 4 * max(map(len, PLACEHOLDERS))
"""Bytes, in whatever letters."""

_BEGINS = np.isin(
    np.arange(256),
    [0, *(ord(case) for text in PLACEHOLDERS if text for case in (text[0], text[0].upper()))],
)
"""First bytes of placeholders, 0 for the empty one: no letter beyond ASCII has one of these as its lower case."""


def without_placeholders(texts: pa.Array) -> pa.Array:
    """Null where a placeholder stands, in any case. texts: trimmed, shape (n,)."""
    lengths = np.diff(offsets(texts))
    first = first_octets(texts)
    rows = np.flatnonzero(
        (lengths <= _LONGEST) & _BEGINS[first] & texts.is_valid().to_numpy(zero_copy_only=False)
    )
    if not len(rows):
        return texts
    found = pc.is_in(lower(texts.take(pa.array(rows))), value_set=_listed())
    placeholders = np.zeros(len(texts), bool)
    placeholders[rows] = found.to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(placeholders), None, texts) if placeholders.any() else texts


@functools.cache
def _listed() -> pa.Array:
    return pa.array(sorted(PLACEHOLDERS))


def spellings() -> list[str]:
    """Every placeholder as programs and people write it, and addresses that stand for none: what may have been hashed."""
    cases = {
        case
        for text in PLACEHOLDERS
        for case in (text, text.upper(), text.capitalize(), text.title())
    }
    return sorted({*cases, " ", "NaN", "NaT", *_ADDRESSES})
