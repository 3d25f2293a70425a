"""The command line: options, tables and sentences around the functions of `connector.commands`.

May import: everything.
"""

__all__ = ["app", "memory", "messages", "output"]
