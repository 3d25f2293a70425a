"""The command line: options, tables and sentences around the functions of `connector.commands`.

May import: everything.
"""

__all__ = [
    "app",
    "begin",
    "dashboard",
    "decide",
    "deliver",
    "fates",
    "find",
    "formats",
    "inspect",
    "memory",
    "messages",
    "options",
    "output",
    "privacy",
    "receiver",
    "signals",
]
