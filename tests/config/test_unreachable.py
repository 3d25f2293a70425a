"""Wrong password, port, host, TLS: four causes,
four sentences, for the warehouse and for the state.

Each refusal comes from PostgreSQL itself, from the system's resolver or from its TCP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from connector.commands.check import check
from connector.config.unreachable import obstacle
from connector.errors import StateError
from connector.state.store import Store, state_url
from tests.support.projects import Project
from tests.support.servers import Peer, closed_port, serving

SECRET = "s3cr3t-7f2a"

Told = Callable[[str], str]


@pytest.fixture(scope="module")
def locked(postgres_server: str) -> Iterator[str]:
    """The address of a server that asks one role for its password."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("create role certificate login password 'another'")
        named = connection.execute("show hba_file").fetchone()
        assert named is not None
        file = Path(str(named[0]))
        before = file.read_text(encoding="utf-8")
        file.write_text(f"local all certificate scram-sha-256\n{before}", encoding="utf-8")
        connection.execute("select pg_reload_conf()")
        folder = postgres_server.split("host=")[1]
        yield f"postgresql://certificate:{SECRET}@/postgres?host={folder}"
        file.write_text(before, encoding="utf-8")
        connection.execute("select pg_reload_conf()")
        connection.execute("drop role certificate")


@pytest.fixture(params=["warehouse", "state"])
def told(request: pytest.FixtureRequest, project: Project, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is said of an address that cannot be used."""

    def of_the_warehouse(url: str) -> str:
        monkeypatch.setenv("WAREHOUSE_URL", url)
        project.write("env:WAREHOUSE_URL", "http://127.0.0.1:9/")
        (problem,) = check(project.path(), root=project.root).errors
        assert "source.warehouse (env:WAREHOUSE_URL)" in problem.message
        return problem.message

    def of_the_state(url: str) -> str:
        with pytest.raises(StateError) as refused:
            Store.open(state_url(project.root, url))
        assert "CAPI_STATE_URL" in str(refused.value)
        return str(refused.value)

    return of_the_warehouse if request.param == "warehouse" else of_the_state


def without_tls(peer: Peer) -> None:
    """PostgreSQL's answer to SSLRequest where it has no TLS (protocol 3.0,
    message flow 54.2.11).
    """
    if peer.sip():
        peer.send(b"N")
        peer.sip()


def test_a_wrong_password(told: Told, locked: str) -> None:
    """The role's name is a word by which another cause is known."""
    message = told(locked)
    assert "refuses the password (OperationalError); correct user and password in" in message
    assert SECRET not in message


def test_a_role_that_there_is_not(told: Told, postgres_server: str) -> None:
    message = told(postgres_server.replace("postgres:@", "nobody@"))
    assert "does not admit this user from here" in message


def test_a_database_that_there_is_not(told: Told, postgres_server: str) -> None:
    assert "has no database of this name" in told(postgres_server.replace("/postgres?", "/shop?"))


def test_a_wrong_port(told: Told) -> None:
    message = told(f"postgresql://somebody:{SECRET}@127.0.0.1:{closed_port()}/shop")
    assert "nothing listens at this port" in message
    assert SECRET not in message


def test_a_wrong_host(told: Told) -> None:
    assert "its host name is unknown" in told("postgresql://somebody@nothing.invalid/shop")


def test_a_server_without_tls(told: Told) -> None:
    with serving(without_tls) as server:
        message = told(f"postgresql://somebody@127.0.0.1:{server.port}/shop?sslmode=require")
    assert "cannot be reached over TLS" in message
    assert "sslmode and sslrootcert" in message


@pytest.mark.parametrize(
    "text",
    ["SSL connection has been closed unexpectedly", "server closed the connection", ""],
)
def test_a_connection_that_was_lost_has_no_such_cause(text: str) -> None:
    """libpq's words, fe-secure-openssl.c and fe-misc.c: it was there before."""
    assert obstacle(RuntimeError(text)) is None
