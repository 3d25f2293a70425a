"""Identifiers that mean nothing outside one system: UUIDs, click ids, own ids, addresses on the network."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import holds, longest, lower
from connector.arrow.dictionary import at_exceptions, map_exceptions, over_distinct, remembered

_UUID = r"^.*?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12}).?$"
_CANONICAL = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_NIL = "00000000-0000-0000-0000-000000000000"
_DASHES = r"(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_BARE = rf"^{_DASHES}$"
_SPELLED = rf"^(?:(?:urn:uuid:)?{_DASHES}|\{{{_DASHES}\}}|\({_DASHES}\))$"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_RESERVED = {0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)}
"""First octets under which the IANA registry of special-purpose addresses has any entry."""

_UNRESERVED = rf"^(?:{'|'.join(str(first) for first in range(256) if first not in _RESERVED)})\.{_OCTET}\.{_OCTET}\.{_OCTET}$"
_ESCAPED_AT = r"(?i)%(25)*40"
"""An @ in a web address, escaped once or more often."""


def uuid_lower(ids: pa.Array) -> pa.Array:
    """Lower-case UUID with dashes, from upper case, braces, `urn:uuid:` or bare hex; null for the nil UUID and the rest."""
    small = lower(ids)
    canonical = at_exceptions(
        small, pc.invert(pc.match_substring_regex(small, _CANONICAL)), _dashed
    )
    return pc.if_else(pc.equal(canonical, _NIL), None, canonical)


def _dashed(ids: pa.Array) -> pa.Array:
    return pc.if_else(
        pc.match_substring_regex(ids, _SPELLED),
        pc.replace_substring_regex(ids, _UUID, r"\1-\2-\3-\4-\5"),
        None,
    )


def uuid4(ids: pa.Array) -> pa.Array:
    """As `uuid_lower`, of version 4 (RFC 9562) alone. Source: base platform (`Guid`)."""
    canonical = uuid_lower(ids)
    version, variant = (
        pc.binary_slice(canonical.cast(pa.binary()), place, place + 1) for place in (14, 19)
    )
    good = pc.and_(
        pc.equal(version, b"4"), pc.is_in(variant, value_set=pa.array([b"8", b"9", b"a", b"b"]))
    )
    return pc.if_else(good, canonical, None)


def own_id(ids: pa.Array) -> pa.Array:
    """An id of the shop's own making, at most 256 characters; null where it holds an @: that is a person's address."""
    return _without(ids, 256, r"[@\x00-\x1f\x7f]", holds(ids, below=ord(" "), among=b"@\x7f"))


def any_id(ids: pa.Array) -> pa.Array:
    """An id that is hashed before it leaves, at most 256 characters; an address is allowed here."""
    return _without(ids, 256, r"[\x00-\x1f\x7f]", holds(ids, below=ord(" "), among=b"\x7f"))


def click_id(ids: pa.Array) -> pa.Array:
    """A click id exactly as it came; null for unfilled templates (`{gclid}`), white space inside, or over 512 characters."""
    return _without(
        ids, 512, r"[\s{}\x00-\x1f\x7f]", holds(ids, below=ord(" ") + 1, among=b"{}\x7f")
    )


def _without(ids: pa.Array, most: int, never: str, somewhere: bool) -> pa.Array:
    """Null where an id has more than `most` characters or something that matches `never`. somewhere: whether any may have it."""
    if longest(ids) > most:
        ids = pc.if_else(pc.less_equal(pc.utf8_length(ids), most), ids, None)
    return pc.if_else(pc.match_substring_regex(ids, never), None, ids) if somewhere else ids


def fb_click(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{fbclid}` exactly as it came; null for anything else. Source: Meta (`fbc`)."""
    return pc.if_else(
        pc.match_substring_regex(cookies, r"^fb\.[0-2]\.\d{1,20}\.[^\s{}]{1,500}$"), cookies, None
    )


def fb_browser(cookies: pa.Array) -> pa.Array:
    """`fb.{0-2}.{milliseconds}.{random}`, perhaps with an appendix, exactly as it came; null for anything else. Source: Meta (`fbp`)."""
    return pc.if_else(
        pc.match_substring_regex(
            cookies, r"^fb\.[0-2]\.\d{1,20}\.\d{1,20}(\.([^\s.]{2}|[^\s.]{8}))?$"
        ),
        cookies,
        None,
    )


def click_uuid(ids: pa.Array) -> pa.Array:
    """A click id that is a UUID, as bare lower-case hex where it came so. Source: Microsoft (`msclkid`)."""
    small = lower(ids)
    return pc.if_else(pc.match_substring_regex(small, _BARE), small, None)


def public_ip(addresses: pa.Array) -> pa.Array:
    """The first public address of `a, b`, without port, IPv4 out of `::ffff:`; null for private and broken ones."""
    plain = pc.match_substring_regex(addresses, _UNRESERVED)
    return map_exceptions(
        addresses, pc.if_else(plain, addresses, None), pc.invert(plain), _public_ip
    )


def public_ipv4(addresses: pa.Array) -> pa.Array:
    """As `public_ip`, IPv4 alone. Source: LinkedIn (`PLAINTEXT_IP_ADDRESS`)."""
    address = public_ip(addresses)
    return pc.if_else(pc.match_substring(address, "."), address, None)


@remembered(16_384, longest=128)
def _public_ip(text: str) -> str | None:
    for part in text.split(","):
        address = _address(part.strip())
        if address is not None and address.is_global and not address.is_multicast:
            return str(address)
    return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = text[1 : text.find("]")] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def user_agent_text(agents: pa.Array) -> pa.Array:
    """A User-Agent header on one line; null over 1,000 characters."""
    return over_distinct(agents, _on_one_line)


def _on_one_line(agents: pa.Array) -> pa.Array:
    line = pc.utf8_trim_whitespace(pc.replace_substring_regex(agents, r"[\x00-\x1f\x7f]+", " "))
    return pc.if_else(pc.less_equal(pc.utf8_length(line), 1000), line, None)


def url_page(urls: pa.Array) -> pa.Array:
    """A page address without query and fragment, which may hold an e-mail or a token; null where it is no web address."""
    return over_distinct(_without_query(urls), _web_page)


def _without_query(urls: pa.Array) -> pa.Array:
    if holds(urls, below=ord(" ")):
        return pc.replace_substring_regex(urls, r"[?#].*$", "")
    for mark in "?#":
        urls = (
            pc.list_element(pc.split_pattern(urls, mark, max_splits=1), 0)
            if holds(urls, among=mark.encode())
            else urls
        )
    return urls


def _web_page(page: pa.Array) -> pa.Array:
    good = pc.and_(
        pc.match_substring_regex(page, r"^https?://[^\s/@]+(/[^\s@]*)?$"),
        pc.invert(pc.match_substring_regex(page, _ESCAPED_AT)),
    )
    return pc.if_else(good, page, None)


def url_full(urls: pa.Array) -> pa.Array:
    """A web address as it is; null where it is none."""
    return pc.if_else(pc.match_substring_regex(urls, r"^https?://[^\s/@]+(/\S*)?$"), urls, None)
