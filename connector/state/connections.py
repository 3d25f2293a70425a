"""Connections to the state database, and what its driver's errors mean."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from connector.config.engines import create_engine
from connector.config.extras import missing_driver
from connector.config.unreachable import obstacle
from connector.errors import ConfigError
from connector.state import waits

_KEEP = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = FAST")
"""What is committed lasts; what is deleted is overwritten where that costs no page more."""

_ROOM = ("cache_size = -8000", "temp_store = MEMORY")
"""A cache for pages of the ledger, in KiB, and no file for what a failed statement would undo."""


def open_engine(url: URL) -> Engine:
    """An engine whose transactions last, and whose readers do not wait for writers.

    Raises:
        ConfigError: The driver is not installed.
    """
    if url.get_backend_name() == "postgresql":
        try:
            return _open_postgresql(url)
        except (NoSuchModuleError, ImportError) as error:
            lacking = missing_driver(
                "postgresql", url.drivername, error if isinstance(error, ImportError) else None
            )
            raise ConfigError(f"CAPI_STATE_URL: {lacking}") from None
    engine = create_engine(
        url,
        connect_args={"timeout": waits.LOCK_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        # Transactions begin below, and nowhere else.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (*_KEEP, *_ROOM):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # One that reads first and writes later would fail when another one writes in between.
        connection.exec_driver_sql(
            "BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE"
        )

    return engine


def _open_postgresql(url: URL) -> Engine:
    given = {name: value for name, value in waits.KEEPALIVE.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, connect_args=given)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_reading = bool(connection.get_execution_options().get("reading"))
        waits.limit(connection, is_reading=is_reading)

    return engine


def error_message(engine: Engine, error: SQLAlchemyError) -> str:
    """A driver's error as a sentence: its class and code, because its text may quote values."""
    waited = waits.explanation(engine, error)
    if waited is not None:
        return waited
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    code = f", {state}" if state else ""
    connecting = type(origin).__name__ in ("OperationalError", "ConnectionTimeout")
    stands = obstacle(origin) if connecting and not state else None
    if stands is not None:
        return (
            f"the state database {stands.what} ({type(origin).__name__});"
            f" {stands.remedy.format(address='CAPI_STATE_URL')}. Nothing is sent meanwhile"
        )
    return (
        f"the state database failed ({type(origin).__name__}{code}); sending has stopped, and the"
        " next run goes on from the last commit. Check its disk and its address (CAPI_STATE_URL)"
    )
