"""Whether a connection to PostgreSQL proves whom it talks to."""

from __future__ import annotations

import ipaddress
import os

from sqlalchemy.engine import URL

_PROVEN = "verify-full"


def unproven_server(url: URL) -> str | None:
    """The `sslmode` of a PostgreSQL URL that takes any server for ours; None where all is well.

    Only `verify-full` compares the certificate with the host's name (libpq, "SSL Support", table
    34.1). A socket or this machine itself needs none.
    """
    if url.get_backend_name() not in ("postgresql", "postgres"):
        return None
    hosts = url.query.get("host") or url.host or os.environ.get("PGHOST") or ""
    named = hosts.split(",") if isinstance(hosts, str) else list(hosts)
    if all(_is_here(host) for host in named):
        return None
    mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"
    return None if mode == _PROVEN else str(mode)


def _is_here(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
