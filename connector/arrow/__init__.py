"""Functions over whole Arrow columns, which know nothing of conversions.

May import: errors.
"""

__all__ = [
    "bytes",
    "composite_key",
    "convert",
    "dictionary",
    "masks",
    "money",
    "pandas_import",
    "records",
    "text",
    "times",
]
