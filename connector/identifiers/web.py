"""What a browser tells of itself: its User-Agent header and the address of the page."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import contains_bytes, trimmed
from connector.arrow.dictionary import map_exceptions, over_distinct

_LONGEST_AGENT = 1000
_ESCAPED_AT = r"(?i)%(25)*40"
"""An @, percent-encoded once or more often."""


def user_agent_text(agents: pa.Array) -> pa.Array:
    """A User-Agent header on one line; null over 1,000 characters."""
    return over_distinct(agents, _short_line)


def user_agent_start(agents: pa.Array) -> pa.Array:
    """A User-Agent header on one line, cut to 1,000 characters. For platforms that require one."""
    return over_distinct(
        agents, lambda each: trimmed(pc.utf8_slice_codeunits(_one_line(each), 0, _LONGEST_AGENT))
    )


def _short_line(agents: pa.Array) -> pa.Array:
    line = _one_line(agents)
    return pc.if_else(pc.less_equal(pc.utf8_length(line), _LONGEST_AGENT), line, None)


def _one_line(agents: pa.Array) -> pa.Array:
    return trimmed(pc.replace_substring_regex(agents, r"[\x00-\x1f\x7f]+", " "))


def url_page(urls: pa.Array) -> pa.Array:
    """A web address without query and fragment, its scheme in lower case; null for anything else.

    The query may hold an e-mail address or a token. For the same reason an address with an @ is
    null.
    """
    return over_distinct(_without_query(urls), _web_page)


def url_origin(urls: pa.Array) -> pa.Array:
    """Scheme and host of a web address, with a slash; null for anything else."""
    return over_distinct(urls, _origins)


def _origins(urls: pa.Array) -> pa.Array:
    found = pc.extract_regex(urls, r"^(?P<origin>https?://[^\s/@?#]+)(?P<end>[/?#]|$)")
    return pc.binary_join_element_wise(pc.struct_field(found, "origin"), "/", "")


def _without_query(urls: pa.Array) -> pa.Array:
    if contains_bytes(urls, below=ord(" ")):
        return pc.replace_substring_regex(urls, r"[?#].*$", "")
    for mark in "?#":
        urls = (
            pc.list_element(pc.split_pattern(urls, mark, max_splits=1), 0)
            if contains_bytes(urls, among=mark.encode())
            else urls
        )
    return urls


def _web_page(urls: pa.Array) -> pa.Array:
    capital = pc.match_substring_regex(urls, r"^[A-Za-z]*[A-Z][A-Za-z]*://")
    pages = map_exceptions(urls, urls, capital, _with_lower_scheme)
    good = pc.and_(
        pc.match_substring_regex(pages, r"^https?://[^\s/@]+(/[^\s@]*)?$"),
        pc.invert(pc.match_substring_regex(pages, _ESCAPED_AT)),
    )
    return pc.if_else(good, pages, None)


def _with_lower_scheme(url: str) -> str:
    """A scheme in capitals is a scheme (RFC 3986, 3.1)."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.lower()}://{rest}"
