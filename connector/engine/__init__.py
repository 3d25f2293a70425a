"""One run: plan, read, encode, send, checkpoint, recover, forget.

May import: everything up to the four stages (source, mapping, delivery, state).
"""

__all__ = [
    "audit",
    "audit_files",
    "backlog",
    "bounds",
    "checkpoint",
    "context",
    "dedupe",
    "deferred",
    "drift",
    "failpoints",
    "fingerprints",
    "guards",
    "hooks",
    "horizon",
    "instrumentation",
    "memory",
    "opentelemetry",
    "outcome",
    "page_builder",
    "pipeline",
    "plan",
    "planner",
    "recorded_rows",
    "recovery",
    "registration",
    "report",
    "requeue",
    "retention",
    "run",
    "slice_ends",
    "slice_reader",
    "unrecorded",
]
