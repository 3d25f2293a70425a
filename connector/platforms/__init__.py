"""What a platform file may say, and the platform files themselves.

May import: errors, arrow, model, syntax, identifiers.
"""

__all__ = [
    "answers",
    "columns",
    "expression",
    "functions",
    "leaves",
    "linter",
    "loader",
    "model",
    "open_facts",
    "request_rules",
    "row_rules",
    "strict",
]
