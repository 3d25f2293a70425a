"""The asset in the Dagster UI: a person presses Materialize and reads the counts."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import checkout
from tests.support.warehouses import DuckDb, conversion


@pytest.fixture
def ui(tmp_path: Path, duck_destination: Make) -> Iterator[str]:
    """`dagster dev` on this project with one destination; the address of its UI."""
    destination = duck_destination(schedule=half_a_year_away(), asset={"owners": ["team:growth"]})
    project = checkout(
        tmp_path / "checkout", destinations=destination.root / "dagster_project" / "defs"
    )
    shutil.copytree(destination.root / "sql", project / "sql", dirs_exist_ok=True)
    home = tmp_path / "dagster home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        "telemetry:\n  enabled: false\nnux:\n  enabled: false\n", encoding="utf-8"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "dagster_project.definitions",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    environment = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(project)}
    log = tmp_path / "dagster.log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            command, cwd=project, env=environment, stdout=written, stderr=written
        ) as process,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/server_info", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def half_a_year_away() -> str:
    """A schedule that has no tick during the test:
    a run of it would be the last one, with nothing to read.
    """
    return f"0 0 1 {(dt.datetime.now(dt.UTC).month + 5) % 12 + 1} *"


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers or has ended."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=30).close()
            return
        except (urllib.error.URLError, ConnectionError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                break
    raise AssertionError(log.read_text())


def test_a_person_materializes_the_asset_and_reads_the_counts(
    page: Page, ui: str, duck: DuckDb, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(9)), conversion(9, email="not an address"))
    page.goto(f"{ui}/assets/capi/acme")
    expect(page.get_by_text("on day 1 of the month, only in")).to_be_visible()
    expect(page.get_by_role("link", name="Open defs.yaml")).to_be_visible()
    page.get_by_role("button", name="Materialize").first.click()
    expect(page.get_by_text("Launched run").first).to_be_visible()
    page.goto(f"{ui}/runs")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    page.goto(f"{ui}/assets/capi/acme")
    for label, number in (("rows_read", 10), ("delivered", 9), ("rejected", 1), ("late", 0)):
        row = page.get_by_role("row").filter(has=page.get_by_text(label, exact=True))
        expect(row).to_contain_text(str(number))
    expect(page.get_by_text("bad_email").first).to_be_visible()
    assert receiver.inbox.summary()["events"] == 9
    page.goto(f"{ui}/assets/capi/acme?view=checks")
    for check in (
        "reconciled",
        "rejection_rate",
        "late_rows",
        "match_keys",
        "lag",
        "watermark_ahead",
    ):
        expect(page.get_by_text(check, exact=True).first).to_be_visible()
    page.goto(f"{ui}/automation")
    expect(page.get_by_text("acme_schedule")).to_be_visible()
