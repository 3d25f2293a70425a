"""Credentials on requests: one module a scheme, each a small class with the method `sign`.

Secrets are read when a run starts, live in these objects alone, and are never part of their repr.

May import: what `connector.delivery` may import.
"""

__all__ = [
    "base",
    "body",
    "combined",
    "header",
    "hmac",
    "oauth1",
    "oauth2",
    "query",
    "renewal",
    "select",
]
