"""Reads a query in watermark order: SQL text, introspection, reader, survey, slicing, errors.

May import: everything up to config; no other stage.
"""

__all__ = ["dialects", "errors", "introspect", "prefetch", "reader", "sql_text", "watermark"]
