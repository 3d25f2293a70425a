"""Migrations that cost the suite less: they take more processor time than most tests do.

Of our state and of Dagster's own storage alike. States that hold something, other databases than
SQLite, and processes that are not forked from one of the suite's are migrated as in production.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Engine

from connector.state import migrations
from connector.state.store import Store
from tests.support.statements import SetAttribute

_STATEMENTS = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"

_by_alembic = migrations.upgrade


def read_revisions_once(set_attribute: SetAttribute) -> None:
    """Have alembic read the files of a folder of revisions once in this process.

    Dagster has some ninety, and reads them twice for each instance.
    """
    read = ScriptDirectory.from_config
    known: dict[str, ScriptDirectory] = {}

    def from_config(config: Config) -> ScriptDirectory:
        folder = str(config.get_main_option("script_location"))
        if folder not in known:
            known[folder] = read(config)
        return known[folder]

    set_attribute(ScriptDirectory, "from_config", from_config)


def repeat_first_migration(set_attribute: SetAttribute) -> None:
    """Migrate the first new SQLite state, and execute what that one holds in all later ones."""
    first: list[str] = []

    def upgrade(engine: Engine, *, backup: bool, to: str = "head") -> None:
        if engine.dialect.name != "sqlite" or backup or to != "head":
            _by_alembic(engine, backup=backup, to=to)
        elif not first:
            _by_alembic(engine, backup=backup)
            first.extend(_statements(engine))
        else:
            with engine.begin() as connection:
                if not sa.inspect(connection).has_table("alembic_version"):
                    for statement in first:
                        connection.exec_driver_sql(statement)

    set_attribute(migrations, "upgrade", upgrade)


def _statements(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        made = connection.exec_driver_sql(_STATEMENTS).scalars().all()
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    return [*made, f"INSERT INTO alembic_version VALUES ('{version}')"]


def rehearse_migration() -> None:
    """Migrate a state that is thrown away; what is forked from this process repeats that."""
    repeat_first_migration(setattr)
    with tempfile.TemporaryDirectory() as folder:
        Store.open(URL.create("sqlite", database=str(Path(folder) / "state.db"))).close()
