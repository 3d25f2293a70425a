"""Every verb as a typed function; `import connector` offers them.

May import: everything up to engine.
"""

__all__ = ["alerts", "check", "lint", "preview", "rejected", "reprocess", "status"]
