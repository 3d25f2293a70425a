"""The command line: options, tables and sentences around the functions of `connector.commands`.

May import: everything.
"""

__all__ = [
    "app",
    "decide",
    "deliver",
    "find",
    "inspect",
    "memory",
    "messages",
    "options",
    "output",
    "receiver",
]
