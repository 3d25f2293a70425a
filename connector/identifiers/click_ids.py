"""Click ids and browser cookies of ad platforms: opaque and case-sensitive."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, lower
from connector.identifiers.ids import without

_LONGEST = 512
_BARE_UUID = r"^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$"


def click_id(ids: pa.Array) -> pa.Array:
    """A click id, unchanged; null for `{gclid}`, with white space, or over 512 characters."""
    suspect = contains_bytes(ids, below=ord(" ") + 1, among=b"{}\x7f")
    return without(ids, _LONGEST, r"[\s{}\x00-\x1f\x7f]", suspect)


def fb_click(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{fbclid}`, unchanged; null otherwise. Source: Meta (`fbc`)."""
    return pc.if_else(
        pc.match_substring_regex(cookies, r"^fb\.[0-2]\.\d{1,20}\.[^\s{}]{1,500}$"), cookies, None
    )


def fb_browser(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{random}`, unchanged; null for anything else. Source: Meta (`fbp`).

    An appendix of two or eight characters, which Meta's parameter builder adds, may follow.
    """
    return pc.if_else(
        pc.match_substring_regex(
            cookies, r"^fb\.[0-2]\.\d{1,20}\.\d{1,20}(\.([^\s.]{2}|[^\s.]{8}))?$"
        ),
        cookies,
        None,
    )


def click_uuid(ids: pa.Array) -> pa.Array:
    """A UUID in lower case, with or without dashes. Source: Microsoft (`msclkid`)."""
    small = lower(ids)
    return pc.if_else(pc.match_substring_regex(small, _BARE_UUID), small, None)
