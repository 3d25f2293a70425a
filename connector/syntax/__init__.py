"""How people write things down: strict YAML, durations, rates, addresses, misspelt names.

May import: errors, arrow, model.
"""

__all__ = ["spelling", "units", "urls", "yaml"]
