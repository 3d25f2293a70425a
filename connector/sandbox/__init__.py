"""A local receiver that speaks every platform, and sample data, for rehearsals and tests.

May import: everything up to commands.
"""

__all__ = [
    "access",
    "dialect",
    "dialects",
    "faults",
    "fixtures",
    "inbox",
    "loopback",
    "pages",
    "preflight",
    "sample",
    "server",
]
