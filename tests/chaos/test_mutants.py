"""Each of the thirteen mutants is caught, and by the invariant that it breaks;
the connector itself passes the same trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.mutants import MUTANTS
from tests.chaos.receiver import Receiver
from tests.chaos.world import Stuck, World, poisoned, row, ties
from tests.support.launcher import Launcher
from tests.support.warehouses import ago

Scene = Callable[[World, dict[str, str]], None]
"""What happens to a world.

The dictionary names the mutant that all of its runs are, if they are one.
"""


def killed(failpoint: str, *, rows: int = 24, group: int = 3) -> Scene:
    """A run is killed at a failpoint, and others put it right."""

    def scene(world: World, mutant: dict[str, str]) -> None:
        world.insert(ties(rows, group=group))
        assert world.run(failpoint=failpoint, **mutant).killed
        world.calm_down(**mutant)

    return scene


def answered(*faults: str) -> Scene:
    """The first requests are answered badly."""

    def scene(world: World, mutant: dict[str, str]) -> None:
        world.insert(ties(24))
        world.receiver.treat(world.name, script=dict(enumerate(faults, 1)))
        world.run(**mutant)
        world.calm_down(**mutant)

    return scene


def out_of_order(world: World, mutant: dict[str, str]) -> None:
    """The platform is down for one page and well for the others;
    what the mark says in between is what counts.
    """
    world.insert(ties(24))
    world.receiver.treat(world.name, script=dict.fromkeys(range(1, 80), "503_before"))
    world.run(**mutant)


def a_poison_row(world: World, mutant: dict[str, str]) -> None:
    """One row that the platform refuses, with the whole batch around it."""
    world.insert(poisoned(each) if number == 7 else each for number, each in enumerate(ties(24)))
    world.calm_down(**mutant)


def a_late_commit(world: World, mutant: dict[str, str]) -> None:
    """A transaction that began before another commits after it, within the lag."""
    world.configure(source__lag="1h", source__lookback="0s")
    world.insert([*ties(3), row(3, updated_at=ago(minutes=20))])
    world.run(**mutant)
    world.insert([row(4, updated_at=ago(minutes=40))])
    world.calm_down(clock="7200", **mutant)


def a_sleeper(world: World, mutant: dict[str, str]) -> None:
    """A runner is stopped between a request and its record;
    another takes over; the first wakes up.
    """
    world.insert(ties(24))
    began = time.time_ns()
    sleeper = world.start(failpoint="after_send:1:stop", **mutant)
    assert sleeper.stopped.wait(60)
    world.time_passes()
    assert world.run(**mutant).complete
    sleeper.signal("CONT")
    world.end(sleeper, began)
    world.calm_down(**mutant)


class Trial(NamedTuple):
    """scene: what happens.

    breaks: the invariant that the mutant must break, or `stuck`. platform: which one it happens on.
    """

    scene: Scene
    breaks: str
    platform: str = "batching"


TRIALS = {
    "commit_before_send": Trial(killed("after_commit:1"), "lost"),
    "greater_than_on_ties": Trial(killed("after_commit:2", rows=60, group=60), "lost"),
    "no_lag": Trial(a_late_commit, "lost"),
    "random_event_id": Trial(killed("after_send:3"), "ids"),
    "status_only_success": Trial(answered("garbage", "empty", "error_body"), "lost"),
    "r_ok": Trial(answered("redirect"), "lost"),
    "any_answer_is_success": Trial(answered("500_before", "429_before"), "lost"),
    "follow_redirects": Trial(answered("redirect"), "lost", "capi"),
    "drop_the_batch_on_400": Trial(a_poison_row, "lost"),
    "raise_on_400": Trial(a_poison_row, "stuck"),
    "advance_on_error": Trial(out_of_order, "mark"),
    "split_commit": Trial(killed("inside_commit:2"), "counts"),
    "no_fencing": Trial(a_sleeper, "counts"),
}


def verdict(world: World, scene: Scene, mutant: dict[str, str]) -> list[str]:
    """The invariants that a scene leaves broken."""
    try:
        scene(world, mutant)
    except Stuck as stuck:
        return [f"stuck: {stuck}"]
    return world.violations(final=scene is not out_of_order)


def test_every_mutant_has_its_trial() -> None:
    assert TRIALS.keys() == MUTANTS.keys()
    assert len(MUTANTS) >= 13


@pytest.mark.parametrize("name", TRIALS)
def test_the_connector_passes_the_trial_of(
    name: str, tmp_path: Path, chaos_receiver: Receiver, launcher: Launcher
) -> None:
    world = World(
        tmp_path, chaos_receiver, launcher, name=f"trial-{name}", platform=TRIALS[name].platform
    )
    assert verdict(world, TRIALS[name].scene, {}) == []


@pytest.mark.parametrize("name", TRIALS)
def test_this_mutant_is_caught(
    name: str, tmp_path: Path, chaos_receiver: Receiver, launcher: Launcher
) -> None:
    world = World(
        tmp_path, chaos_receiver, launcher, name=f"mutant-{name}", platform=TRIALS[name].platform
    )
    broken = verdict(world, TRIALS[name].scene, {"mutant": name})
    assert any(each.startswith(f"{TRIALS[name].breaks}:") for each in broken), broken
