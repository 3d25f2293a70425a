"""One file for each database: its clock, its types, its fastest reader, what its errors mean.

May import: what `connector.source` may import.
"""

__all__ = ["base", "duckdb", "postgresql", "sqlite"]
