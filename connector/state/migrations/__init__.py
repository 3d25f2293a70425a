"""Migrations of the state database, run by alembic. They only ever add."""

from __future__ import annotations

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from connector.state.waits import lift_statement_limit


def upgrade(engine: Engine, *, backup: bool, to: str = "head") -> None:
    """Bring the tables up to date.

    Args:
        engine: The database.
        backup: Of a SQLite file that already holds something, keep a copy beside it.
        to: A revision.
    """
    if backup and engine.dialect.name == "sqlite":
        copy = f"{engine.url.database}.{int(time.time())}.backup"
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("VACUUM INTO ?", (copy,))
            connection.exec_driver_sql("BEGIN")
        Path(copy).chmod(0o600)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        lift_statement_limit(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
