"""The state database: opened privately, migrated when needed, written in short transactions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from connector.config.home import home, refuse_shared
from connector.errors import ConfigError, ConnectorError, StateError, StateMismatch
from connector.state.connections import error_message, open_engine
from connector.state.installation import installation_key

HEAD = "0010"
"""The newest migration; a database that is ahead of it is not touched."""


def state_url(root: Path, given: str | None = None) -> URL:
    """Where the state is.

    Args:
        root: The project's folder.
        given: A SQLAlchemy URL; default: CAPI_STATE_URL, or a SQLite file in `home`.

    Raises:
        ConfigError: It is no URL of SQLite or PostgreSQL. The message does not show it.
    """
    text = given or os.environ.get("CAPI_STATE_URL")
    what = "CAPI_STATE_URL" if given is None else "the URL of the state"
    if not text:
        return URL.create("sqlite", database=str(home(root) / "state.db"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(
            f"{what} is not a SQLAlchemy URL; use sqlite:///path or postgresql://host/database"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"{what} must be SQLite or PostgreSQL")
    return (
        url.set(drivername="postgresql+psycopg")
        if url.drivername in ("postgresql", "postgres")
        else url
    )


class Store:
    """The open state database.

    Every error of the driver becomes a StateError that names its class, because its text may quote
    values. After it nothing more may be sent.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = open_engine(url)
        self._reading = self.engine.execution_options(reading=True)
        self._key: bytes | None = None
        self._key_is_held = False
        self._file = _identity(url)

    @classmethod
    def open(cls, url: URL) -> Store:
        """Connect and bring the tables up to date.

        Raises:
            StateError: The database cannot be used.
            StateMismatch: It was written by a newer release, or by one that cannot be continued.
        """
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
        """One transaction: all of it or nothing.

        Raises:
            StateError: The database failed, or its file is not the one that was opened.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
                self._refuse_another_file()
        except SQLAlchemyError as error:
            raise StateError(error_message(self.engine, error)) from None

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that changes nothing."""
        try:
            with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(error_message(self.engine, error)) from None

    def key(self) -> bytes:
        """The installation's key, under which row keys are hashed.

        CAPI_INSTALLATION_KEY is used in place of a stored one.

        Raises:
            ConfigError: CAPI_INSTALLATION_KEY is too short, or no hex digits.
            StateMismatch: The state was made with another key.
        """
        if self._key is None:
            with self.write() as connection:
                self._key = installation_key(connection)
        return self._key

    def hold_key(self, key: bytes) -> None:
        """Use this key, whatever is given: the one that is about to be replaced."""
        self._key, self._key_is_held = key, True

    def forget_key(self) -> None:
        """Read the key again when it is needed: before the lease it may have been replaced."""
        if not self._key_is_held:
            self._key = None

    def _refuse_another_file(self) -> None:
        """SQLite would write on into a file that was deleted, and say nothing."""
        if self._file is not None and _identity(self.url) != self._file:
            raise StateError(
                "the state file was deleted or replaced while this run was at work, so sending has"
                " stopped. What was delivered up to now is recorded in the deleted file alone, and"
                " requests that were in flight may have been taken. Restore the state file; or, to"
                " begin anew, run `capi resolve NAME --restart all|now|TIMESTAMP`"
            )

    def _migrate(self) -> None:
        version = self._version()
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise StateMismatch(
                f"the state database was written by a newer release (schema {version}, this program"
                f" knows {HEAD}); update the program"
            )
        # Late: alembic takes long to import, and most runs find their state up to date.
        from connector.state import migrations

        try:
            migrations.upgrade(self.engine, backup=version is not None)
        except SQLAlchemyError as error:
            raise StateError(error_message(self.engine, error)) from None

    def _version(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            version = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar()
        return None if version is None else str(version)


def _identity(url: URL) -> tuple[int, int] | None:
    """Which file a SQLite database is, by device and inode; None: no file."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    try:
        found = os.stat(url.database)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _create_privately(path: Path) -> None:
    """The file and its folder for the owner alone, before anything is written to them.

    Raises:
        ConfigError: Others may write to the folder, or the file is a link that leads out of it.
        StateError: It cannot be created.
    """
    refuse_shared(path.parent)
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise ConfigError(
            f"the state file {path} is a symbolic link that leads out of its folder; put the file"
            " itself there, or name the other place by CAPI_STATE_URL"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.name == ".capi":
            path.parent.chmod(0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateError(
            f"the state file cannot be created ({type(error).__name__}); check the folder that"
            " CAPI_HOME or CAPI_STATE_URL names"
        ) from None
