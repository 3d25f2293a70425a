"""Words of sentences for people: a did-you-mean for names that they type, and rows that are counted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """What goes behind a sentence about a name that is not known: the one that is nearest to it, or nothing. least: how near, up to 1."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=least)
    return f"; did you mean '{close[0]}'?" if close else ""


def rows_that(number: int, one: str, several: str) -> str:
    """A sentence on some rows, in the words for one or for several: `1 row has`, `2 rows have`."""
    return f"1 row {one}" if number == 1 else f"{number} rows {several}"
