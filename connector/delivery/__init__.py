"""Batches -> verdicts over HTTP: sending, retries, bisection, rate limits, redaction.

May import: everything up to config; no other stage.
"""

__all__ = [
    "auth",
    "batch",
    "bisection",
    "concurrency",
    "decoded",
    "deferred",
    "exchange",
    "factory",
    "in_flight",
    "json_path",
    "located",
    "outcome",
    "rate_limit",
    "redact",
    "request",
    "response",
    "retry",
    "retry_after",
    "retry_budget",
    "sender",
    "status",
    "systemic",
    "transports",
]
