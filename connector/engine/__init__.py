"""One run: plan, read, encode, send, checkpoint, recover, forget.

May import: everything up to the four stages (source, mapping, delivery, state).
"""

__all__ = [
    "checkpoint",
    "context",
    "dedupe",
    "deferred",
    "drift",
    "failpoints",
    "memory",
    "page_builder",
    "pipeline",
    "planner",
    "recovery",
    "report",
    "requeue",
    "retention",
    "run",
]
