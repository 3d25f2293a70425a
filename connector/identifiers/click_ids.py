"""Click ids and browser cookies of ad platforms: opaque and case-sensitive.

Sources often keep what carried the id: a whole address, or `gclid=...`. The id is taken out of it;
where it is not in there, the value is left out.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, lower
from connector.arrow.dictionary import map_exceptions
from connector.identifiers.ids import without

_MAX_LENGTH = 512
_BARE_UUID = r"^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$"

_PARAMETERS = (
    "gclid|gbraid|wbraid|dclid|gclsrc|fbclid|ttclid|sccid|epik|rdt_cid|li_fat_id|msclkid|twclid"
    "|oppref|tblci|taboola_cid|aref|amznaref|_?fbc|_?fbp|_?ttp|_?scid|utm_[a-z]+"
)
"""Names in whose place an id may stand, in lower case."""

_CARRIER = re.compile(rf"(?i)://|^[?&#]|^(?:{_PARAMETERS})=")
"""What an address, a query string or a cookie looks like, and no id does."""

_ENCODED = re.compile(rf"(?i)%3A%2F%2F|^(?:{_PARAMETERS})%3D")
_DEPTH = 3
"""So often an address may stand in a parameter of another one."""


def click_id(ids: pa.Array, parameter: str | None = None) -> pa.Array:
    """A click id; null for `{gclid}`, with white space, or over 512 characters.

    Args:
        ids: Strings, shape (n,).
        parameter: Name of the id in addresses and cookies, such as `gclid`.
    """
    bare = _taken_out(ids, parameter)
    suspect = contains_bytes(bare, below=ord(" ") + 1, among=b"{}\x7f")
    return without(bare, _MAX_LENGTH, r"[\s{}\x00-\x1f\x7f]", suspect)


def fb_click(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{fbclid}`; null otherwise. Source: Meta (`fbc`)."""
    bare = map_exceptions(cookies, cookies, _carriers(cookies), _bare_fbc)
    return pc.if_else(
        pc.match_substring_regex(bare, r"^fb\.[0-2]\.\d{1,20}\.[^\s{}]{1,500}$"), bare, None
    )


def fb_browser(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{random}`; null for anything else. Source: Meta (`fbp`).

    An appendix of two or eight characters, which Meta's parameter builder adds, may follow.
    """
    bare = _taken_out(cookies, "_fbp")
    good = pc.match_substring_regex(
        bare, r"^fb\.[0-2]\.\d{1,20}\.\d{1,20}(\.([^\s.]{2}|[^\s.]{8}))?$"
    )
    return pc.if_else(good, bare, None)


def click_uuid(ids: pa.Array, parameter: str | None = None) -> pa.Array:
    """A click id that is a UUID, in lower case, with or without dashes.

    `_uet`, which Microsoft's cookie has in front, is cut off. Source: Microsoft (`msclkid`).

    Args:
        ids: Strings, shape (n,).
        parameter: Name of the id in addresses and cookies.
    """
    small = pc.replace_substring_regex(lower(_taken_out(ids, parameter)), r"^_uet", "")
    return pc.if_else(pc.match_substring_regex(small, _BARE_UUID), small, None)


def _carriers(ids: pa.Array) -> pa.Array:
    """Which values may carry an id among other things: no id has any of these characters."""
    if not contains_bytes(ids, among=b"=:%?&#"):
        return pa.array([False] * len(ids), pa.bool_())
    return pc.match_substring_regex(ids, r"[=?&#]|://|%3[AaDd]")


def _taken_out(ids: pa.Array, parameter: str | None) -> pa.Array:
    """Bare ids; null where an address or a query string lacks the parameter."""
    return map_exceptions(ids, ids, _carriers(ids), lambda text: _value(text, parameter))


def _value(text: str, parameter: str | None) -> str | None:
    for _ in range(_DEPTH):
        text = unquote(text) if _ENCODED.search(text) else text
        found = _in_query(text, parameter)
        if not found:
            return None if found == "" or _CARRIER.search(text) else text
        text = found
    return None


def _in_query(text: str, parameter: str | None) -> str | None:
    """A parameter of an address, a query string or a cookie; None where it is not there."""
    if parameter is None:
        return None
    name = re.escape(parameter.lstrip("_"))
    match = re.search(rf"(?i)(?:^|[?&;#\s])_?{name}=([^?&;#\s]*)", text)
    return unquote(match[1]) if match else None


def _bare_fbc(text: str) -> str | None:
    """A cookie whose last part is the bare click id."""
    cookie = _in_query(text, "_fbc") or text
    match = re.fullmatch(r"(fb\.[0-2]\.\d{1,20}\.)(.+)", cookie)
    click = _value(match[2], "fbclid") if match else None
    return match[1] + click if match and click else None
