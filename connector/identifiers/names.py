"""First and last names: lower case, and as little else as each platform asks for."""

from __future__ import annotations

import pyarrow as pa

from connector.arrow.dictionary import over_distinct
from connector.identifiers.characters import CONTROL, PUNCTUATION, SPACE, lower_without


def name_basic(names: pa.Array) -> pa.Array:
    """Trimmed, lower case, NFC, nothing invisible. Source: TikTok, Google Data Manager."""
    return over_distinct(names, lambda each: lower_without(each, CONTROL))


def name_joined(names: pa.Array) -> pa.Array:
    """Lower case, without spaces and ASCII punctuation; letters of any alphabet stay.

    Source: OpenAI, conversions-api.md (first_names_sha256).
    """
    return over_distinct(
        names,
        lambda each: lower_without(each, CONTROL, r"[!-/:-@\[-`{-~]", SPACE, lettered=True),
    )


def name_nospace(names: pa.Array) -> pa.Array:
    """As `name_basic` without spaces. Source: TikTok, as Segment's connector sends names."""
    return over_distinct(names, lambda each: lower_without(each, CONTROL, SPACE))


def name_nopunct(names: pa.Array) -> pa.Array:
    """As `name_basic` without punctuation; letters of any alphabet stay.

    Source: Meta customer-information-parameters.
    """
    return over_distinct(
        names, lambda each: lower_without(each, CONTROL, PUNCTUATION, lettered=True)
    )
