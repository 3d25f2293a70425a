"""Reads a query in watermark order: SQL text, introspection, survey, slicing, pages of rows.

May import: everything up to config; no other stage.
"""

__all__ = [
    "column_types",
    "dialects",
    "duplicate_keys",
    "errors",
    "given",
    "introspect",
    "mapped_columns",
    "prefetch",
    "reader",
    "rows",
    "safety_lag",
    "slicing",
    "spill",
    "sql_text",
    "survey",
    "tables",
    "time_unit",
    "warehouse",
    "watermark",
]
