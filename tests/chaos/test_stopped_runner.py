"""A runner that stands still inside a transaction of the state, as one does that was stopped, whose
machine sleeps, or whose network was cut: the next run's waits end, and it says who is in its way.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos.receiver import Receiver
from tests.chaos.world import World, ties
from tests.support.launcher import Job, Launcher

LONG, SHORT = "20", "0.5"
"""Seconds: a limit that only a missing other one lets a test reach, and one that it reaches."""


@pytest.fixture(params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, chaos_receiver: Receiver, launcher: Launcher
) -> World:
    """Nine rows that wait, on each state database in turn."""
    state = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    made = World(tmp_path, chaos_receiver, launcher, name=tmp_path.name, state=state)
    made.insert(ties(9))
    return made


def stopped(world: World, **limits: str) -> Job:
    """A run that was stopped inside its second commit, when requests have left."""
    job = world.start(failpoint="inside_commit:2:stop", **limits)
    assert job.stopped.wait(60), job.text()
    return job


def is_stopped(pid: str) -> bool:
    """Whether a process has got SIGSTOP and nothing since."""
    return (
        Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"
    )


def test_the_next_run_ends_and_names_the_runner_that_stands_still(world: World) -> None:
    """Its transaction would be ended later than the next one is ready to wait."""
    sleeper = stopped(world, idle_seconds=LONG)
    if world.is_on_postgresql:
        world.time_passes()
    other = world.run(lock_seconds=SHORT)
    assert other.code == 3, other.text
    assert f"the state database is locked, and was waited for during {SHORT} s" in other.text
    named = re.search(r"held by run \w{32} of acme \(process (\d+)\)", other.text)
    assert named is not None, other.text
    assert is_stopped(named[1])
    assert bool(re.search(r"; session \d+ of PostgreSQL, which", other.text)) == (
        world.is_on_postgresql
    )
    sleeper.signal("KILL")
    world.end(sleeper, 0)
    assert world.violations() == []
    world.calm_down()
    assert world.violations(final=True) == []


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_the_next_run_goes_on_once_postgresql_has_ended_the_transaction(world: World) -> None:
    sleeper = stopped(world, idle_seconds=SHORT)
    world.time_passes()
    assert world.run(lock_seconds=LONG).complete
    sleeper.signal("CONT")
    woken = world.end(sleeper, 0)
    assert woken.code == 3, woken.text
    assert f"this runner stood still inside a transaction for more than {SHORT} s" in woken.text
    assert world.violations(final=True) == []
