"""`make demo`, word for word, in a folder with a space in its name."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.projects import checkout

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose receiver has a port of its own."""
    folder = checkout(tmp_path / "a clone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for path in (folder / "dagster_project" / "defs").glob("*/defs.yaml"):
        path.write_text(
            path.read_text(encoding="utf-8").replace(":8477", f":{port}"), encoding="utf-8"
        )
    return folder


def demo(clone: Path) -> str:
    """Run the demo once; what it printed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAPI_", "DAGSTER_"))
    }
    environment = {**kept, "PYTHONPATH": str(clone), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dagster_project.demo"],
        cwd=clone,
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def row(printed: str, destination: str, number: int) -> list[str]:
    """Cells of a destination's line in the n-th table."""
    return [
        cell.strip()
        for cell in re.findall(rf"^│ {destination} .*$", printed, re.MULTILINE)[number]
        .strip("│")
        .split("│")
    ]


def test_the_demo_delivers_then_only_what_is_new_then_nothing(clone: Path) -> None:
    first = demo(clone)
    assert row(first, "demo_dsp", 0)[1:4] == ["10,000", "9,800", "200"]
    assert row(first, "demo_dsp", 1)[1:4] == ["500", "490", "10"]
    assert row(first, "demo_leads", 0)[5] == "4", "Meta takes a thousand events a request"
    assert first.count(" 0 twice") == 2
    assert "…" not in first, "nothing is cut"
    read = sum(int(row(first, "demo_leads", number)[1].replace(",", "")) for number in (0, 1))
    settled = sum(
        int(row(first, "demo_leads", number)[cell].replace(",", ""))
        for number in (0, 1)
        for cell in (2, 3)
    )
    assert read == settled > 3_000
    second = demo(clone)
    assert [row(second, name, 0)[1:4] for name in ("demo_dsp", "demo_leads")] == [
        ["0", "0", "0"]
    ] * 2
    assert "took 0 new events" in second
    assert stat.S_IMODE((clone / ".capi").stat().st_mode) == 0o700
    assert stat.S_IMODE((clone / ".capi" / "state.db").stat().st_mode) == 0o600
