"""Texts that systems and people write where there is no value. None of them is sent or hashed."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import first_bytes, lower, offsets

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
"""In lower case."""

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

_MAX_BYTES = 4 * max(map(len, PLACEHOLDERS))
"""Bytes that a placeholder has at most, in whatever letters."""

_BEGINS = np.isin(
    np.arange(256),
    [0, *(ord(case) for text in PLACEHOLDERS if text for case in (text[0], text[0].upper()))],
)
"""First bytes of placeholders in either case, 0 for the empty one.

No letter beyond ASCII has one of these as its lower case.
"""


def without_placeholders(texts: pa.Array) -> pa.Array:
    """Trimmed texts, shape (n,); null where one is a placeholder in any case."""
    lengths = np.diff(offsets(texts))
    first = first_bytes(texts)
    rows = np.flatnonzero(
        (lengths <= _MAX_BYTES) & _BEGINS[first] & texts.is_valid().to_numpy(zero_copy_only=False)
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
    """Placeholders, and addresses that stand for none, in the cases in which they may be hashed."""
    cases = {
        case
        for text in PLACEHOLDERS
        for case in (text, text.upper(), text.capitalize(), text.title())
    }
    return sorted({*cases, " ", "NaN", "NaT", *_ADDRESSES})
