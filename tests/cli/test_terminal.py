"""What a person sees at a terminal, and what a pipe gets."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow


def at_a_terminal(project: Project, *arguments: str, columns: int = 100) -> str:
    """Run the command line with a terminal of its own; all that was written to it."""
    outer, inner = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    process = subprocess.Popen(
        [sys.executable, "-c", "from connector.cli.app import main; main()", *arguments],
        cwd=project.root,
        env=environment,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        close_fds=True,
    )
    os.close(inner)
    written = b""
    while True:
        try:
            part = os.read(outer, 65_536)
        except OSError:
            break  # the other end is closed
        if not part:
            break
        written += part
    os.close(outer)
    assert process.wait(60) == 0, written.decode()
    return written.decode()


def without_colours(written: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)


@pytest.fixture
def with_a_bad_row(project: Project, duck: DuckDb, duck_destination: Make) -> str:
    """A destination with a row in quarantine whose key is long; the mark."""
    duck.insert(
        *(conversion(number) for number in range(9)),
        conversion(9, conversion_id="order-2026-04-13-0000001009", value="-1"),
    )
    duck_destination()
    return str(project.capi("sync", "acme", "--json", check=True).json()["mark_to"])


def test_a_pipe_gets_every_line_whole(project: Project, with_a_bad_row: str) -> None:
    seen = project.capi("status", "acme", check=True, COLUMNS="40").out
    assert re.search(rf"│ \S+Z │ sync │ complete │ 10 +│ 9 +│ 1 +│ 0 +│ {with_a_bad_row} │", seen)
    (line,) = [
        line
        for line in project.capi("rejected", "acme", check=True, COLUMNS="40").out.splitlines()
        if "0001009" in line
    ]
    assert re.fullmatch(
        (
            r"│ order-2026-04-13-0000001009 │ bad_value │ value │ 1 +│ \S+Z +│ rejected │ "
            r"value: major units, not negative, .* half to even │"
        ),
        line,
    )


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_narrow_terminal_cuts_nothing(
    project: Project, with_a_bad_row: str, columns: int
) -> None:
    seen = without_colours(at_a_terminal(project, "status", "acme", columns=columns))
    listed = without_colours(at_a_terminal(project, "rejected", "acme", columns=columns))
    assert "…" not in seen + listed
    assert max(map(len, (seen + listed).splitlines())) <= columns
    assert seen.count(with_a_bad_row) == 2
    assert all(
        re.search(rf"\b{word}\b", listed)
        for word in ("order-2026-04-13-0000001009", "bad_value", "rejected", "major", "even")
    )
    assert not re.search(r"\bcode\b", listed), "no row has one"


def test_a_terminal_shows_progress_and_counts(
    project: Project, duck: DuckDb, duck_destination: Make, receiver: Receiver
) -> None:
    duck.insert(*(conversion(number) for number in range(450)))
    duck_destination()
    written = at_a_terminal(project, "sync", "acme")
    plain = without_colours(written)
    assert "\x1b[" in written
    assert re.search(r"\d of 450 rows, 0 rejected", plain), "the bar knows how many wait"
    assert re.search(r"delivered\W+450", plain)
    assert receiver.inbox.summary()["events"] == 450


def test_a_pipe_gets_no_control_characters(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    duck.insert(*(conversion(number) for number in range(3)))
    duck_destination()
    finished = project.capi("sync", "acme", check=True)
    assert "\x1b" not in finished.out + finished.err
    assert re.search(r"delivered\W+3", finished.out)


def test_a_reader_that_has_seen_enough_is_no_mistake(
    project: Project, duck: DuckDb, duck_destination: Make
) -> None:
    duck.insert(*(conversion(number, email=None) for number in range(2_000)))
    duck_destination(checks={"rejection_rate": {"fail": 1.0}})
    project.capi("sync", "acme", "--yes")
    process = project.start("rejected", "acme", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b'{"key"')
    process.stdout.close()
    assert (process.stderr.read(), process.wait(60)) == (b"", 1)
