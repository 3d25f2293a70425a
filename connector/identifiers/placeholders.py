"""Texts that stand where there is no value. Nothing that is equal to one of them leaves, plain or as a digest."""

from __future__ import annotations

PLACEHOLDERS = frozenset({"", "null", "none", "nan", "nat", "<na>", "n/a", "#n/a", "-", "--", "undefined", "unknown", "[redacted]", "redacted", "(not set)"})
"""Texts, in lower case, that systems write where there is no value."""

_ADDRESSES = ("test@test.com", "test@example.com", "a@example.com", "a@a.com", "asdf@asdf.com", "no@no.com", "email@email.com", "noreply@example.com")


def spellings() -> list[str]:
    """Every placeholder as programs and people write it, and addresses that stand for none: what may have been hashed."""
    cases = {case for text in PLACEHOLDERS for case in (text, text.upper(), text.capitalize(), text.title())}
    return sorted({*cases, " ", "NaN", "NaT", *_ADDRESSES})
