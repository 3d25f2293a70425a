"""One destination's YAML: its models, its loader, its checks, and where its secrets are.

May import: everything up to platforms.
"""

__all__ = ["destination", "extras", "namesakes", "secrets", "validate"]
