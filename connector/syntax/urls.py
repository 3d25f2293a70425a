"""Which addresses requests may go to."""

from __future__ import annotations

import ipaddress
import re


def endpoint_problem(url: str) -> str | None:
    """What is wrong with an address, or None. Only https, except to this machine itself."""
    match = re.fullmatch(
        r"(https?)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?"
        r"(/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?",
        url,
    )
    if match is None:
        return (
            "endpoint must be a plain address such as https://host/path, without user name, query "
            "or fragment"
        )
    if not _is_host(match[2]):
        return f"endpoint: {match[2]} is no name of a host"
    if match[3] is not None and not 1 <= int(match[3][1:]) <= 65535:
        return f"endpoint: {match[3][1:]} is no port; ports go from 1 to 65535"
    if match[1] == "http" and match[2] not in ("127.0.0.1", "localhost", "[::1]"):
        return "endpoint must be https; plain http is only for a receiver on this machine"
    return None


def _is_host(text: str) -> bool:
    """Whether a name can be looked up, or is an address (RFC 1123, RFC 4291)."""
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            return False
        return True
    return len(text) <= 253 and all(
        re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", label)
        for label in text.split(".")
    )


def origin(url: str) -> str:
    """Scheme, host and port of an address in which `endpoint_problem` finds nothing wrong."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def is_below(url: str, origin: str) -> bool:
    """Whether an address is on this scheme, host and port.

    Compared as text, so that no two parsers can disagree.
    """
    return url.startswith(origin) and url[len(origin) : len(origin) + 1] in ("", "/", "?")
