"""The state database: opened privately, migrated when needed, written in short transactions that either hold or stop the run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from connector.config.extras import missing_driver
from connector.errors import ConfigError, ConnectorError, StateError, StateMismatch
from connector.state import tables

HEAD = "0003"
"""The newest migration; a database that is ahead of it is not touched."""


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def home(root: Path) -> Path:
    """The folder `.capi/`, or the one that CAPI_HOME names."""
    return Path(os.environ["CAPI_HOME"]) if os.environ.get("CAPI_HOME") else root / ".capi"


def state_url(root: Path) -> URL:
    """CAPI_STATE_URL, or a SQLite file in `home`. Raises ConfigError without showing it."""
    text = os.environ.get("CAPI_STATE_URL")
    if not text:
        return URL.create("sqlite", database=str(home(root) / "state.db"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(
            "CAPI_STATE_URL is not a SQLAlchemy URL; use sqlite:///path or postgresql://host/database"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError("CAPI_STATE_URL must be SQLite or PostgreSQL")
    return (
        url.set(drivername="postgresql+psycopg")
        if url.drivername in ("postgresql", "postgres")
        else url
    )


class Store:
    """The open state database.

    Every error of the driver becomes a StateError told by its class: its text may quote values, and after it nothing more
    may be sent.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = _engine(url)
        self._reading = self.engine.execution_options(reading=True)
        self._key: bytes | None = None

    @classmethod
    def open(cls, url: URL) -> Store:
        """Connect and bring the tables up to date. Raises StateError, or StateMismatch where they are newer than this program."""
        if url.get_backend_name() == "sqlite" and url.database:
            _create_privately(Path(url.database))
        store = cls(url)
        try:
            store._migrate()
        except ConnectorError:
            store.close()
            raise
        return store

    @classmethod
    def exists(cls, url: URL) -> bool:
        """Whether there is a state file at all; a server is taken to be there."""
        return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()

    def close(self) -> None:
        """Give connections back."""
        self.engine.dispose()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(_told(error)) from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that changes nothing."""
        try:
            with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(_told(error)) from None

    def key(self) -> bytes:
        """The installation's key, under which row keys are hashed. CAPI_INSTALLATION_KEY overrides the stored one."""
        if self._key is None:
            with self.write() as connection:
                self._key = _installation_key(connection)
        return self._key

    def _migrate(self) -> None:
        version = self._version()
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise StateMismatch(
                f"the state database was written by a newer release (schema {version}, this program knows {HEAD}); update the program"
            )
        from connector.state import migrations

        try:
            migrations.upgrade(self.engine, backup=version is not None)
        except SQLAlchemyError as error:
            raise StateError(_told(error)) from None

    def _version(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar()
        return None if version is None else str(version)


def _installation_key(connection: Connection) -> bytes:
    given = os.environ.get("CAPI_INSTALLATION_KEY")
    row = connection.execute(sa.select(tables.installation)).one_or_none()
    if row is None:
        key = _parse_key(given) if given else secrets.token_bytes(32)
        values = {
            "id": 1,
            "key_hex": None if given else key.hex(),
            "fingerprint": _fingerprint(key),
        }
        connection.execute(tables.installation.insert().values(values))
        return key
    stored = bytes.fromhex(row.key_hex) if row.key_hex else None
    key_now = _parse_key(given) if given else stored
    if key_now is None or _fingerprint(key_now) != row.fingerprint:
        raise StateMismatch(
            "CAPI_INSTALLATION_KEY is not the key that this state was made with, so delivered rows would not be recognised; set the old key again"
        )
    return key_now


def _parse_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise ConfigError(
            "CAPI_INSTALLATION_KEY must be at least 32 hex digits; make one with: openssl rand -hex 32"
        )
    return key


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(b"capi installation key" + key).hexdigest()[:16]


def _create_privately(path: Path) -> None:
    """The file and its folder for the owner alone, before anything is written to them."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.name == ".capi":
            path.parent.chmod(0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateError(
            f"the state file cannot be created ({type(error).__name__}); check the folder that CAPI_HOME or CAPI_STATE_URL names"
        ) from None


_ROOM = ("cache_size = -8000", "temp_store = MEMORY")
"""Pages of the ledger that are kept at hand, in KiB, and a place for what a statement would undo if it failed."""


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        try:
            return sa.create_engine(
                url, hide_parameters=True, pool_pre_ping=True, connect_args={"connect_timeout": 10}
            )
        except (NoSuchModuleError, ImportError) as error:
            lacking = missing_driver(
                "postgresql", url.drivername, error if isinstance(error, ImportError) else None
            )
            raise ConfigError(f"CAPI_STATE_URL: {lacking}") from None
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": 30, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # transactions begin below, and nowhere else
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", *_ROOM):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail at once when another one writes in between.
        connection.exec_driver_sql(
            "BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE"
        )

    return engine


def _told(error: SQLAlchemyError) -> str:
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    return f"the state database failed ({type(origin).__name__}{f', {state}' if state else ''}); sending has stopped, and the next run goes on from the last commit. Check its disk and its address (CAPI_STATE_URL)"
