"""One destination's YAML: its models, its loader, its checks, and where its secrets are.

May import: everything up to platforms.
"""

__all__ = [
    "credentials",
    "destination",
    "documents",
    "engines",
    "environment",
    "extras",
    "home",
    "host",
    "literal_secrets",
    "loader",
    "models",
    "personal_keys",
    "policy",
    "profile",
    "secrets",
    "tls",
    "unreachable",
    "validate",
    "validation_errors",
]
