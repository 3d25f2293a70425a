"""What a platform file may say, and the platform files themselves.

May import: errors, arrow, model, syntax, identifiers.
"""

__all__ = ["columns", "declared", "expression", "functions", "loader", "model"]
