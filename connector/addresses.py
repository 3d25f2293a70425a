"""Which addresses requests may go to."""

from __future__ import annotations

import re


def endpoint_problem(url: str) -> str | None:
    """What is wrong with an address, or None. https only, except to this machine itself."""
    match = re.fullmatch(r"(https?)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?", url)
    if match is None:
        return "endpoint must be a plain address such as https://host/path, without user name, query or fragment"
    if match[1] == "http" and match[2] not in ("127.0.0.1", "localhost", "[::1]"):
        return "endpoint must be https; plain http is only for a receiver on this machine"
    return None


def origin(url: str) -> str:
    """Scheme, host and port of an address in which `endpoint_problem` finds nothing wrong."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def is_below(url: str, origin: str) -> bool:
    """Whether an address is on this scheme, host and port: told by its first characters, so that no two parsers can disagree."""
    return url.startswith(origin) and url[len(origin) : len(origin) + 1] in ("", "/", "?")
