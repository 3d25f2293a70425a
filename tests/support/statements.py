"""SQL statements are compiled once in a process of the suite, for all databases of a kind.

SQLAlchemy compiles each statement anew for each engine. Production opens one of a kind and each
test a new one, which then spends a third of a run's processor time on the same forty statements.
"""

from __future__ import annotations

from collections.abc import Callable

from duckdb_sqlalchemy import Dialect as DuckDbDialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

SetAttribute = Callable[[object, str, object], None]
"""`setattr`, or that of pytest's `monkeypatch`, which undoes it."""


def compile_once(set_attribute: SetAttribute) -> None:
    """Take engines of one kind for the same as long as statements are compiled.

    They are made by the same library with the same settings, and differ in their address alone.
    """
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg, DuckDbDialect):
        set_attribute(kind, "__hash__", lambda dialect: hash(type(dialect)))
        set_attribute(kind, "__eq__", lambda dialect, other: type(dialect) is type(other))
    compiled: LRUCache[object, object] = LRUCache(5_000)
    set_attribute(Engine, "_compiled_cache", property(lambda _: compiled, lambda _, own: None))
