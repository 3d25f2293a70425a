"""Batches -> verdicts over HTTP: sending, retries, bisection, rate limits, redaction.

May import: everything up to config; no other stage.
"""

__all__ = [
    "auth",
    "batch",
    "deferred",
    "factory",
    "in_flight",
    "rate_limit",
    "redact",
    "request",
    "response",
    "retry",
    "retry_after",
    "sender",
    "transports",
]
