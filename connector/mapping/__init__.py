"""Canonical rows -> JSON records and verdicts of our own rules.

May import: everything up to config; no other stage.
"""

__all__ = [
    "bindings",
    "coerce",
    "coverage",
    "reasons",
    "safe_paths",
    "serializer",
    "template",
    "used_columns",
    "validate",
]
