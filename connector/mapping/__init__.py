"""Canonical rows -> JSON records, and what our own rules say of each row.

May import: everything up to config; no other stage.
"""

__all__ = [
    "age_windows",
    "bindings",
    "coerce",
    "constants",
    "conversions",
    "coverage",
    "entries",
    "envelope",
    "event_ids",
    "event_names",
    "event_times",
    "extras",
    "groups",
    "misplaced",
    "money",
    "person_arrays",
    "reasons",
    "render",
    "safe_paths",
    "sent_fields",
    "serializer",
    "template",
    "texts",
    "transform",
    "validate",
]
