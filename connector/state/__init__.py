"""The state database: watermark, slices, intents, ledger, quarantine, runs, lease, registry.

May import: everything up to config; no other stage.
"""

__all__ = [
    "acts",
    "alerts",
    "audit",
    "clock",
    "concurrency",
    "connections",
    "erasure",
    "insert",
    "installation",
    "intents",
    "keys",
    "lease",
    "ledger",
    "ledger_buffer",
    "migrations",
    "quarantine",
    "receipts",
    "registry",
    "runs",
    "slice_progress",
    "store",
    "tables",
    "waits",
    "watermark",
]
