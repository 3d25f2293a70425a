"""Every verb as a typed function; `import connector` offers them.

May import: everything up to engine.
"""

__all__ = [
    "alerts",
    "check",
    "check_source",
    "destinations",
    "encode",
    "erase",
    "findings",
    "given_rows",
    "key",
    "lint",
    "overview",
    "platforms",
    "preview",
    "reconcile",
    "rejected",
    "rename",
    "replay",
    "resolve",
    "status",
    "steps",
    "sync",
]
