"""How people write things down: strict YAML, durations and rates, addresses, and near misses of names.

May import: errors, arrow, model.
"""

__all__ = ["spelling", "units", "urls", "yaml"]
