"""The command line in processes that are forked from one which has imported everything.

A test that runs `capi` five times would otherwise spend five seconds of processor time on imports.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from connector.delivery.transports.base import tls_context
from tests.support.launcher import Launcher
from tests.support.migrations import rehearse_migration
from tests.support.statements import compile_once

LATE = (
    "alembic.command",
    "connector.cli.app",
    "connector.commands.check",
    "connector.commands.destinations",
    "connector.commands.erase",
    "connector.commands.lint",
    "connector.commands.overview",
    "connector.commands.preview",
    "connector.commands.reconcile",
    "connector.commands.rejected",
    "connector.commands.report",
    "connector.commands.show",
    "connector.commands.unsent",
    "connector.commands.replay",
    "connector.commands.resolve",
    "connector.commands.status",
    "connector.commands.sync",
    "connector.delivery.factory",
    "connector.delivery.transports.requests",
    "connector.engine.outcome",
    "duckdb_sqlalchemy",
    "iso4217",
    "pandas",
    "phonenumbers",
    "psycopg",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlite3",
    "typer.rich_utils",
)
"""What the command line imports when a verb needs it."""


@functools.cache
def launcher() -> Launcher:
    """One for each worker of pytest, started by the first test that needs it."""
    folder = Path(tempfile.mkdtemp(prefix="capi"))
    started = Launcher("tests.support.commands", folder)

    def close() -> None:
        started.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(close)
    return started


def main(target: str, arguments: Sequence[str]) -> int:
    """Run the command line in this process; returns its exit code."""
    from connector.cli.app import main as capi

    sys.argv = [target, *arguments]
    try:
        capi()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def warm_up(preload: str) -> None:
    """Import what commands import, read certificates, and migrate a state."""
    for name in LATE:
        importlib.import_module(name)
    tls_context(None)
    compile_once(setattr)
    rehearse_migration()
