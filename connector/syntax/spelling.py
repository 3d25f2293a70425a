"""Parts of sentences for people: did-you-mean, and counts of rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """The end of a sentence about an unknown name: `; did you mean 'x'?`, or nothing.

    Args:
        name: What somebody wrote.
        known: What there is.
        least: How similar a suggestion must be, from 0 to 1.
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=least)
    return f"; did you mean '{close[0]}'?" if close else ""


def rows_that(number: int, one: str, several: str) -> str:
    """A count of rows and what they do: `1 row has`, `2 rows have`."""
    return f"1 row {one}" if number == 1 else f"{number} rows {several}"
