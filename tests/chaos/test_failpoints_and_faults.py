"""Each failpoint with each fault, once:
a run is killed there while the platform misbehaves, and the next ones put it right.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector.engine import failpoints
from connector.state import tables
from tests.chaos.conftest import SEED
from tests.chaos.receiver import FAULTS, Receiver
from tests.chaos.world import PLATFORMS, World, invalid, poisoned, ties
from tests.support.launcher import Launcher

POISON = "poison"
ONCE = ("after_plan", "before_settle")
"""Failpoints that a run reaches once, as a run of one page does before_intent;
the others are met the second time, when there is something to lose.
"""


@pytest.mark.parametrize("fault", [*FAULTS, POISON])
@pytest.mark.parametrize("failpoint", failpoints.NAMES)
def test_a_killed_run_and_a_bad_answer_lose_nothing(
    tmp_path: Path, chaos_receiver: Receiver, launcher: Launcher, failpoint: str, fault: str
) -> None:
    dice = zlib.crc32(f"{SEED} {failpoint} {fault}".encode())
    name = f"{failpoint}-{fault}"
    transport = ("requests", "libcurl")[dice // 32 % 2]
    world = World(
        tmp_path,
        chaos_receiver,
        launcher,
        platform=PLATFORMS[dice % 2],
        name=name,
        delivery__transport=transport,
    )
    rows = ties(24)
    bad = (2, 9, 10, 17, 23) if fault == POISON else (9,)
    world.insert(
        [poisoned(row) if number in bad else row for number, row in enumerate(rows)]
        + [invalid(ties(25)[24])]
    )

    if fault != POISON:
        chaos_receiver.treat(name, script={1 + dice // 2 % 4: fault, 6 + dice // 8 % 4: fault})
    once = failpoint in ONCE or (failpoint == "before_intent" and world.platform == "capi")
    run = world.run(failpoint=f"{failpoint}:{1 if once else 2}")
    if not run.killed:  # the fault ended the run before the failpoint was reached a second time
        assert world.violations() == []
        world.time_passes()
        run = world.run(failpoint=f"{failpoint}:1")
    assert run.killed, run.text
    assert world.violations() == []

    world.calm_down()
    assert world.violations(final=True) == []


@pytest.mark.parametrize("failpoint", [name for name in failpoints.NAMES if name not in ONCE])
def test_a_run_of_several_slices_that_is_killed_again_and_again_completes_them_all(
    tmp_path: Path, chaos_receiver: Receiver, launcher: Launcher, failpoint: str
) -> None:
    """Each run gets a little further,
    so kills come at the beginning of slices, in the middle and between two.
    """
    world = World(
        tmp_path, chaos_receiver, launcher, name=f"slices-{failpoint}", delivery__slice_rows=7
    )
    world.insert(ties(30))
    kills = 0
    while kills < 30 and world.run(failpoint=f"{failpoint}:{3 + kills % 4}").killed:
        assert world.violations() == []
        world.time_passes()
        kills += 1
    assert 1 <= kills < 30
    with sa.create_engine(world.state, poolclass=sa.NullPool).connect() as connection:
        assert all(connection.execute(sa.select(tables.slices.c.complete)).scalars()), (
            "a run that finds nothing to do forgets them"
        )
    world.calm_down()
    assert world.violations(final=True) == []
