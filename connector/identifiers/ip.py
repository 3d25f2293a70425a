"""IP addresses of customers. A private or reserved address identifies nobody and is left out."""

from __future__ import annotations

import ipaddress

import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.dictionary import map_exceptions, remembered

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_RESERVED = {0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)}
"""First octets under which the IANA registry of special-purpose addresses has any entry."""

_FIRST = "|".join(str(first) for first in range(256) if first not in _RESERVED)
_PLAIN_PUBLIC = rf"^(?:{_FIRST})\.{_OCTET}\.{_OCTET}\.{_OCTET}$"


def public_ip(addresses: pa.Array) -> pa.Array:
    """The first public address of `a, b`; null where there is none.

    Ports and zones are cut off; an IPv4 address inside `::ffff:` is taken out.
    """
    plain = pc.match_substring_regex(addresses, _PLAIN_PUBLIC)
    return map_exceptions(
        addresses, pc.if_else(plain, addresses, None), pc.invert(plain), _first_public
    )


def public_ipv4(addresses: pa.Array) -> pa.Array:
    """As `public_ip`, IPv4 alone. Source: LinkedIn (`PLAINTEXT_IP_ADDRESS`)."""
    address = public_ip(addresses)
    return pc.if_else(pc.match_substring(address, "."), address, None)


@remembered(16_384, longest=128)
def _first_public(text: str) -> str | None:
    for part in text.split(","):
        address = _parsed(part.strip())
        if address is not None and address.is_global and not address.is_multicast:
            return str(address)
    return None


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    host = text[1 : text.find("]")] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address
