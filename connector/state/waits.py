"""Every wait on the state ends, and its error says who was waited for.

A runner may stand still inside a transaction: it was stopped, its machine sleeps, its network was
cut. PostgreSQL ends such a transaction, so the next runner need not wait for its locks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from connector.state.tables import destination, lease

IDLE_SECONDS = 30
"""How long a writing transaction may stand still between two statements."""

LOCK_SECONDS = 45
"""How long a transaction waits for another; longer than that one may stand still."""

STATEMENT_SECONDS = 600
"""How long a statement may take; a migration has no such limit."""

KEEPALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Of a connection to PostgreSQL whose network was cut; in seconds, but for the last, in ms."""

_IDLE_SESSIONS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
AND state IN ('idle in transaction', 'idle in transaction (aborted)')
ORDER BY xact_start
"""

_LOCKED = {"55P03", "SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"}
_STOOD_STILL = "25P03"
_CANCELLED = "57014"


def limit(connection: Connection, *, is_reading: bool) -> None:
    """Limit the waits of a transaction that has just begun.

    The limits hold for the transaction alone, so that a pooler may give its connection to others.
    """
    limits = {"lock_timeout": LOCK_SECONDS, "statement_timeout": STATEMENT_SECONDS}
    if not is_reading:
        limits["idle_in_transaction_session_timeout"] = IDLE_SECONDS
    calls = ", ".join(
        f"set_config('{name}', '{int(seconds * 1000)}', true)" for name, seconds in limits.items()
    )
    connection.exec_driver_sql(f"SELECT {calls}")


def lift_statement_limit(connection: Connection) -> None:
    """Let the statements of a migration take as long as they need."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def explanation(engine: Engine, error: SQLAlchemyError) -> str | None:
    """Where a wait came to its end: a sentence that says who was waited for."""
    origin: Any = getattr(error, "orig", None) or error
    code = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    if code == _STOOD_STILL:
        return (
            f"this runner stood still inside a transaction for more than {IDLE_SECONDS} s (stopped,"
            " suspended, or without network), so the state database ended it; nothing of it is"
            " recorded, and the next run goes on from the last commit"
        )
    if code == _CANCELLED:
        return (
            "the state database cancelled a statement (after"
            f" {STATEMENT_SECONDS} s, or because an administrator asked for it); the next run goes"
            " on from the last commit. Look at its load and its disk"
        )
    if code not in _LOCKED:
        return None
    holders = "; ".join(_holders(engine)) or "another program"
    return (
        f"the state database is locked, and was waited for during {LOCK_SECONDS} s. It is held by"
        f" {holders}. If that stands still, end it; then run again: nothing is lost, the next run"
        " goes on from the last commit"
    )


def _holders(engine: Engine) -> Iterator[str]:
    """Runs that have a lease, and sessions of PostgreSQL that stand still in a transaction."""
    columns = (destination.c.name, lease.c.owner, lease.c.process)
    joined = lease.join(destination, destination.c.id == lease.c.destination_id)
    held = sa.select(*columns).select_from(joined).where(lease.c.owner.is_not(None))
    reading = engine.execution_options(reading=True)
    with contextlib.suppress(SQLAlchemyError), reading.connect() as connection:
        for name, owner, process in connection.execute(held.order_by(destination.c.name)):
            parts = (process or "").split("/")
            where = f" (process {parts[2]})" if len(parts) == 4 else ""
            yield f"run {owner} of {name}{where}"
        if connection.dialect.name == "postgresql":
            for pid in connection.exec_driver_sql(_IDLE_SESSIONS).scalars():
                yield f"session {pid} of PostgreSQL, which is idle in a transaction"
