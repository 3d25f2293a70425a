"""`capi sync NAME --follow TIME` as a service manager starts and ends it."""

from __future__ import annotations

import json
import signal

import pytest

from connector.sandbox.server import Receiver
from tests.conftest import Make
from tests.support.following import until
from tests.support.projects import Project
from tests.support.warehouses import DuckDb, conversion

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_a_report_and_success(
    project: Project, duck_destination: Make, duck: DuckDb, receiver: Receiver, number: int
) -> None:
    """Also where a row was just rejected, which is no reason to end."""
    duck.insert(conversion(1), conversion(2, email=None))
    duck_destination(checks={"rejection_rate": {"fail": 0.1}})
    process = project.start("sync", "acme", "--follow", "50ms", "--json")
    until(lambda: receiver.inbox.summary()["requests"] or process.poll() is not None)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    [report] = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0, err
    assert (report["delivered"], report["rejected"], report["complete"]) == (1, 1, True)
    assert b"1 of 2 rows were rejected" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--follow", "soon"), "'soon': a duration is a number and a unit"),
        (("--follow", "0s"), "must be longer than 0s"),
        (("--follow", "1s", "--dry-run"), "takes no option but yes"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    project: Project, duck_destination: Make, arguments: tuple[str, ...], message: str
) -> None:
    duck_destination()
    done = project.capi("sync", "acme", *arguments, "--json")
    assert done.code == 2
    assert message in done.json()["error"]["message"]
