"""One destination's YAML: its models, its loader, its checks, and where its secrets are.

May import: everything up to platforms.
"""

__all__ = [
    "credentials",
    "destination",
    "environment",
    "extras",
    "host",
    "loader",
    "models",
    "secrets",
    "validate",
    "validation_errors",
]
