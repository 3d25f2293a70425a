"""Every verb as a typed function; `import connector` offers them.

May import: everything up to engine.
"""

__all__ = [
    "acts",
    "alerts",
    "check",
    "check_source",
    "data_map",
    "decisions",
    "destinations",
    "encode",
    "erase",
    "findings",
    "follow",
    "given_rows",
    "key",
    "lint",
    "moments",
    "overview",
    "page",
    "platforms",
    "preview",
    "reconcile",
    "rejected",
    "rekey",
    "rename",
    "replay",
    "report",
    "resolve",
    "sheet",
    "show",
    "status",
    "steps",
    "sync",
    "unsent",
]
