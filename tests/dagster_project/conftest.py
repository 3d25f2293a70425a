"""Dagster instances, and a webhook on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import orjson
import pytest

from tests.support.dagster import persistent_instance


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory: quick, and enough for one process."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME of its own."""
    folder = tmp_path / "dagster home"
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


@pytest.fixture
def lasting_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which several processes share."""
    with persistent_instance(home) as made:
        yield made


class Webhook:
    """What was posted to a webhook. status: what it answers."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.status = 200
        self.url = ""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook as Slack has them."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.texts.append(
                orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
            )
            self.send_response(hook.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/services/T000/B000"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield hook
        server.shutdown()
        thread.join()
