"""PgBouncer between us and PostgreSQL,
as Debian configures it, and with a connection a transaction.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connector.commands.sync import sync
from connector.engine.plan import Options
from connector.sandbox.server import Receiver
from connector.source.dialects.adbc import AdbcReader
from tests.support.projects import Project
from tests.support.servers import closed_port
from tests.support.warehouses import PostgreSql, conversion

pytestmark = pytest.mark.skipif(
    shutil.which("pgbouncer") is None, reason="PgBouncer is not installed (Debian: pgbouncer)"
)


@pytest.fixture(params=["session", "transaction"])
def pooled(request: pytest.FixtureRequest, postgres: str) -> Iterator[str]:
    """The address of a database through a pooler that has two connections for everybody."""
    port, folder = closed_port(), Path(tempfile.mkdtemp(prefix="capi"))
    folder.chmod(0o755)
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host={postgres.split('host=')[1]} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {request.param}\ndefault_pool_size = 2\n",
        encoding="utf-8",
    )
    name = postgres.split("?")[0].rsplit("/", 1)[1]
    url = f"postgresql://somebody@127.0.0.1:{port}/{name}"
    owner = Path(postgres.split("host=")[1]).owner()
    as_owner = ["-u", owner] if os.geteuid() == 0 else []
    command = ["pgbouncer", "-q", *as_owner, str(configuration)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(url)
            yield url
        finally:
            process.terminate()
    shutil.rmtree(folder)


def _wait_for(url: str, seconds: float = 60) -> None:
    """Connect again and again, until there is an answer."""
    end = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the pooler does not answer"
        else:
            return


def test_rows_travel_through_a_pooler(
    project: Project,
    receiver: Receiver,
    postgres: str,
    pooled: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over both readers, with one statement again and again: a pooler mixes prepared ones up."""
    monkeypatch.setattr("connector.source.reader.READ_BYTES", 1)
    warehouse = PostgreSql(postgres)
    warehouse.create()
    warehouse.insert(*(conversion(number) for number in range(30)))
    project.write(pooled, f"{receiver.url}/signal/v1/conversion", delivery={"batch_size": 1})
    monkeypatch.setattr("connector.engine.page_builder.SINGLE_PAGE", 4)
    monkeypatch.setattr("connector.engine.page_builder.ROWS_TOGETHER", 1)
    assert sync(project.load()).delivered == 30
    with psycopg.connect(pooled) as one, psycopg.connect(pooled) as two:
        for other in (one, two):
            other.execute("select 'a statement of another program'", prepare=True)
    monkeypatch.setattr(AdbcReader, "fetch_arrow", lambda *_: None)
    warehouse.insert(*(conversion(number) for number in range(30, 60)))
    assert sync(project.load()).delivered == 30


def test_a_pooler_keeps_nothing_of_our_settings(
    project: Project, postgres: str, pooled: str
) -> None:
    """What others get from the pool afterwards can write, and has its own time zone."""
    warehouse = PostgreSql(postgres)
    warehouse.create()
    warehouse.insert(conversion(1))
    project.write(pooled, "http://127.0.0.1:9/")
    sync(project.load(), options=Options(dry_run=True))
    with psycopg.connect(pooled) as other:
        other.execute("set time zone 'Asia/Kolkata'")
        other.execute("delete from conversions")


def test_options_of_the_url_hold(project: Project, receiver: Receiver, postgres: str) -> None:
    """Here they name the schema; settings of our own took their place."""
    warehouse = PostgreSql(postgres)
    warehouse.create()
    warehouse.insert(conversion(1))
    warehouse.execute("create schema shop")
    warehouse.execute("alter table conversions set schema shop")
    url = f"{postgres}&options=-c%20search_path%3Dshop"
    project.write(url, f"{receiver.url}/signal/v1/conversion")
    assert sync(project.load()).delivered == 1
