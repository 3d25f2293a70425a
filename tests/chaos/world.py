"""One destination in a hostile world: a source, a platform that misbehaves,
runs that are killed, and the books of all three.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from connector.model import RowState as Recorded
from connector.state import ledger, tables
from connector.state.keys import hash_keys
from tests.chaos.books import (
    ERASED,
    REJECTED,
    Books,
    Erasure,
    GivenUp,
    Restore,
    Row,
    Spell,
    State,
    violations,
)
from tests.chaos.mutants import NO_SEAM
from tests.chaos.receiver import POISON, Receiver
from tests.support.launcher import Job, Launcher
from tests.support.projects import Project
from tests.support.warehouses import PostgreSql, Sqlite, TestWarehouse, ago, conversion

Found = TypeVar("Found")

PLATFORMS = ("capi", "batching")
COMMIT_PAGES = 2
UNRECORDED_PAGES = {"capi": 2 + 1, "batching": 4 + 2 + COMMIT_PAGES + 1}
SINGLE_PAGE, SINGLE_COMMIT_ROWS = 400, 100
ATTEMPTS = 5
"""The design's own bounds, written down again: what a kill may send twice is at most so many pages
of so many rows; and a runner that slept over the answers to its requests may send each of them so
often.
"""

MENDED = "1000.00"
"""The value of a row that was refused and is good since; writers touch smaller ones alone."""


def write_project(
    root: Path, platform: str, warehouse: str, endpoint: str, name: str = "acme", **changes: Any
) -> Project:
    """A project with one destination, of the base platform or of the batching one."""
    project = Project(root)
    if platform == "batching":
        shutil.copy(Path(__file__).with_name("batching.yaml"), root / "batching.yaml")
        changes = {"platform": "batching.yaml", "account": {"advertiser": "12"}, **changes}
    project.write(warehouse, endpoint, name, **changes)
    return project


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A good conversion that names itself in its order_id,
    so that the platform's inbox can be read back.
    """
    made = conversion(number, **changes)
    return {"order_id": made["conversion_id"], **made}


def ties(count: int, *, first: int = 0, group: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """Rows of which `group` share each cursor value, two hours old."""
    start = ago(hours=2)
    return [
        row(number, updated_at=start + dt.timedelta(milliseconds=number // group), **changes)
        for number in range(first, first + count)
    ]


def poisoned(made: dict[str, Any]) -> dict[str, Any]:
    """The same conversion as the platform refuses it."""
    return {**made, "value": str(POISON)}


def invalid(made: dict[str, Any]) -> dict[str, Any]:
    """The same conversion as our own rules refuse it."""
    return {**made, "value": "-1.00"}


class Run(NamedTuple):
    """A run that has ended. code: negative where a signal ended it; report: what it printed."""

    code: int
    report: dict[str, Any]
    text: str

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code < 0

    @property
    def complete(self) -> bool:
        """Whether it did all that it was asked to do."""
        return bool(self.report.get("complete"))

    @property
    def clean(self) -> bool:
        """Whether it ended in order, so that only requests with bad answers can be unrecorded."""
        return self.code >= 0 and not any(
            words in self.text
            for words in (
                "another run took over",
                "the state database",
                "stood still inside a transaction",
                "unexpected ",
            )
        )


class World:
    """name: of the destination and its lane.

    batch: records a request on the batching platform. state: URL, default SQLite.
    """

    def __init__(
        self,
        root: Path,
        receiver: Receiver,
        launcher: Launcher,
        *,
        platform: str = "batching",
        warehouse: TestWarehouse | None = None,
        name: str = "acme",
        batch: int = 3,
        state: str | None = None,
        **changes: Any,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.name, self.receiver, self.launcher, self.platform = name, receiver, launcher, platform
        self.batch = batch if platform == "batching" else 1
        self.page = batch if platform == "batching" else SINGLE_PAGE
        self.warehouse = warehouse or Sqlite(root)
        if warehouse is None:
            self.warehouse.create()
        self.settings: dict[str, Any] = {
            "delivery__timeout": "400ms",
            "delivery__times_usual": 1_000_000,
            "source__lag": "0s",
            **({"delivery__batch_size": batch} if platform == "batching" else {}),
            **changes,
        }
        self.project = write_project(
            root / "project",
            platform,
            "env:WAREHOUSE_URL",
            f"{receiver.url}/{name}",
            **self.settings,
        )
        self.home = root / "home"
        self.given_up = root / "given up"
        self.environment = {
            "CAPI_HOME": str(self.home),
            "WAREHOUSE_URL": self.warehouse.url,
            "CHAOS_BACKOFF": "0.01",
            "CHAOS_GIVEN_UP": str(root / "given up"),
            "CHAOS_COMMIT_ROWS": str(
                SINGLE_COMMIT_ROWS if self.batch == 1 else COMMIT_PAGES * self.batch
            ),
        }
        if state is not None:
            self.environment["CAPI_STATE_URL"] = state
        self.state = (
            state.replace("postgresql://", "postgresql+psycopg://")
            if state
            else f"sqlite:///{self.home}/state.db"
        )
        self.unclean: list[Spell] = []
        self.ended_uncleanly = False
        self.kills = 0
        self.runs = 0
        self.late: set[str] = set()
        self.changed: dict[str, int] = {}
        self.dagster: dict[str, dict[str, Any]] = {}
        self.erased: dict[str, Erasure] = {}
        self.mended: dict[str, int] = {}
        self.restores: list[Restore] = []
        self.backup: frozenset[str] | None = None

    @property
    def is_on_postgresql(self) -> bool:
        """Whether the state is in PostgreSQL, and not in SQLite."""
        return self.state.startswith("postgresql")

    def configure(self, **changes: Any) -> None:
        """Change the destination's settings."""
        self.settings |= changes
        shutil.rmtree(self.project.root)
        self.project = write_project(
            self.project.root,
            self.platform,
            "env:WAREHOUSE_URL",
            f"{self.receiver.url}/{self.name}",
            **self.settings,
        )

    def insert(self, rows: Iterable[dict[str, Any]], *, late: bool = False) -> None:
        """Commit rows. late: they may lie behind the mark."""
        made = list(rows)
        self.late |= {each["conversion_id"] for each in made} if late else set()
        self.warehouse.insert(*made)

    def start(
        self, target: str = "capi", command: tuple[str, ...] = ("sync",), **environment: str
    ) -> Job:
        """Begin a run, or another command with the destination.

        What the one before sent until now is its own: a receiver may read a request after its
        sender was killed.
        """
        self.runs += 1
        if self.ended_uncleanly:
            self.unclean[-1] = self.unclean[-1]._replace(ended=time.time_ns())
        for row, each in self.erased.items():
            if each.since is None:
                self.erased[row] = each._replace(since=time.time_ns())
        given = {
            **self.environment,
            **{
                f"CHAOS_{name.upper()}" if name != "failpoint" else "CAPI_FAILPOINT": value
                for name, value in environment.items()
            },
        }
        arguments = (
            (str(self.project.path()), str(self.project.root))
            if target == "dagster"
            else (command[0], "acme", "--json", *command[1:])
        )
        return self.launcher.start(target, *arguments, cwd=self.project.root, environment=given)

    def end(self, job: Job, began: int) -> Run:
        """Wait for a run and enter it in the books. began: unix nanoseconds."""
        code = job.wait()
        assert code != NO_SEAM, job.text()
        run = Run(code, job.json(), job.text())
        self.kills += run.killed
        if "dagster" in run.report:
            self.dagster[run.report["dagster"]] = run.report["metadata"]
        self.ended_uncleanly = (
            not run.clean or job.stopped.is_set()
        )  # who slept may have missed good answers
        if self.ended_uncleanly:
            self.unclean.append(
                Spell(began, time.time_ns(), ATTEMPTS if job.stopped.is_set() else 1)
            )
        return run

    def run(
        self, target: str = "capi", command: tuple[str, ...] = ("sync",), **environment: str
    ) -> Run:
        """One run to its end. environment: of `child`, without its prefix; and failpoint."""
        began = time.time_ns()
        return self.end(self.start(target, command, **environment), began)

    def erase(self, key: str) -> bool:
        """Erase a row; False where that failed, as it may while the database restarts."""
        was = self.read()
        self.run(command=("erase", "--key", key))
        now = self.read()
        if now.ledger.get(key) == ERASED != was.ledger.get(key):
            known = self.erased.get(key)
            self.erased[key] = Erasure(
                known and known.since, was.ledger.get(key, 0), was.refused.get(key, 0)
            )
        return now.ledger.get(key) == ERASED

    def mend(self, most: int, chance: random.Random) -> int:
        """Mend refused rows in the source, where no run looks; returns how many."""
        refused = self.read().refused
        rows = sorted(refused.keys() - self.mended.keys())
        mending = (
            f"update conversions set value = {MENDED} where conversion_id = {self.warehouse.mark}"
        )
        for key in chance.sample(rows, min(most, len(rows))):
            self.mended[key] = refused[key]
            self._waiting_for_databases(functools.partial(self.warehouse.execute, mending, key))
        return min(most, len(rows))

    def replay_mended(self, **environment: str) -> None:
        """Replay each mended row that still is in quarantine, by its name."""
        for key in sorted(self.mended.keys() & self.read().refused.keys()):
            self.time_passes()
            run = self.run(command=("replay", "--key", key), **environment)
            assert run.complete, run.text

    def back_up(self) -> None:
        """Copy the state, which is in SQLite, if there is one yet."""
        if not self._has_state():
            return
        self._copy(self.home / "state.db", self.home.with_name("backup.db"))
        known = self.read().ledger.items()
        self.backup = frozenset(row for row, state in known if state != REJECTED)

    def restore(self) -> Run:
        """Put the backup in the state's place, as a person would; returns the run after that.

        It is refused where a run began since the backup; the person repeats what was erased since,
        and says that the next run may go on.
        """
        assert self.backup is not None
        for file in self.home.glob("state.db*"):
            file.unlink()
        self._copy(self.home.with_name("backup.db"), self.home / "state.db")
        (self.home / "state.db").chmod(0o600)
        self.restores.append(Restore(time.time_ns(), self.backup))
        self.backup = None
        state = self.read()
        self.dagster = {name: run for name, run in self.dagster.items() if name in state.runs}
        self.mended = {
            key: state.refused.get(key, refused)
            for key, refused in self.mended.items()
            if key in state.ledger
        }
        for key in self.erased:
            assert state.ledger.get(key) == ERASED or self.erase(key)
        refused = self.run()
        if "is older than" in refused.text:
            for _ in range(20):
                accepted = self.run(command=("resolve", "--accept-change"))
                if accepted.code == 0:
                    return refused
                self.read_rows()  # the warehouse is restarting
            raise AssertionError(accepted.text)
        return refused

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with (
            contextlib.closing(sqlite3.connect(source)) as reading,
            contextlib.closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)

    def read_rows(self) -> dict[str, Row]:
        """What the source has; it is waited for while it restarts."""
        return self._waiting_for_databases(lambda: read_rows(self.warehouse))

    def read(self) -> State:
        """The state as it is now; databases are waited for while they restart."""
        return self._waiting_for_databases(self._read_state)

    def _has_state(self) -> bool:
        """Whether a run lived long enough to make one."""
        return self.is_on_postgresql or (self.home / "state.db").exists()

    def _read_state(self) -> State:
        if not self._has_state():
            return State({}, None, {}, ())
        return read_state(self.state, list(read_rows(self.warehouse)))

    @staticmethod
    def _waiting_for_databases(read: Callable[[], Found]) -> Found:
        for _ in range(200):
            with contextlib.suppress(sa.exc.OperationalError, psycopg.OperationalError):
                return read()
            time.sleep(0.1)
        raise AssertionError("the databases are not back")

    def time_passes(self) -> None:
        """Whatever a platform asked to wait is over,
        and leases of runs that are gone have run out.
        """
        if not self._has_state():
            return
        with sa.create_engine(self.state, poolclass=sa.NullPool).begin() as connection:
            if not sa.inspect(connection).has_table("lease"):
                return
            connection.execute(tables.destination.update().values(not_before=None))
            connection.execute(tables.lease.update().values(expires_at=0))

    def calm_down(self, most: int = 12, **environment: str) -> int:
        """Run in fair weather until a run has done all that waits;
        returns how many it took, or raises where none ever does.
        """
        self.receiver.treat(self.name)
        for number in range(most):
            with contextlib.suppress(sa.exc.OperationalError):  # a database that is restarting
                self.time_passes()
            run = self.run(**environment)
            if run.complete:
                return number + 1
        raise Stuck(f"rows still wait after {most} runs: {run.text[-600:]}")

    def books(self) -> Books:
        """What all three parties have written down;
        the state is read first, so that it can only be behind.
        """
        state = self._read_state()
        calls, entries = self.receiver.received(self.name)
        return Books(
            read_rows(self.warehouse),
            calls,
            entries,
            state,
            self.unclean,
            self.late,
            self.changed,
            self.dagster,
            UNRECORDED_PAGES[self.platform] * self.page,
            self.batch,
            read_given_up(self.given_up),
            self.erased,
            self.mended,
            self.restores,
        )

    def violations(self, *, final: bool = False) -> list[str]:
        """What the books say is wrong; final:
        nothing waits any more, so everything must be settled.
        """
        return violations(self.books(), final=final)


def read_rows(warehouse: TestWarehouse) -> dict[str, Row]:
    """What the source has."""
    sql = "select conversion_id, updated_at, value from conversions"
    found: list[tuple[Any, ...]]
    if isinstance(warehouse, PostgreSql):
        with psycopg.connect(warehouse.url, options="-c timezone=UTC") as connection:
            found = connection.execute(sql).fetchall()
    else:
        assert isinstance(warehouse, Sqlite)
        reading = sqlite3.connect(warehouse.path)
        found = reading.execute(sql).fetchall()
        reading.close()
    return {
        key: Row(_microseconds(cursor), float(value) == POISON, float(value) < 0)
        for key, cursor, value in found
    }


def read_given_up(path: Path) -> list[GivenUp]:
    """Requests whose answer did not come in time, as the runs wrote them down."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ()
    return [GivenUp(int(at), frozenset(digests)) for at, *digests in map(str.split, lines)]


def read_state(url: str, names: list[str]) -> State:
    """One moment of the state. names: of all rows, which it knows by their hashes."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("ledger"):
            return State({}, None, {}, ())
        key = connection.execute(sa.select(tables.installation.c.key_hex)).scalar()
        mark = connection.execute(sa.select(tables.mark.c.cursor, tables.mark.c.key)).one_or_none()
        runs = {
            run["run_id"]: dict(run) for run in connection.execute(sa.select(tables.run)).mappings()
        }
        columns = (tables.quarantine.c.key_hash, tables.quarantine.c.attempts)
        quarantine = [
            (bytes(each.key_hash), int(each.attempts))
            for each in connection.execute(sa.select(*columns))
        ]
        intents = connection.execute(
            sa.select(sa.func.count()).select_from(tables.intent)
        ).scalar_one()
        known = dict(
            zip(
                hash_keys(pa.array(names, pa.string()), bytes.fromhex(key or "")),
                names,
                strict=True,
            )
        )
        recorded = {
            known[key_hash]: int(entry.state)
            for key_hash, entry in ledger.known(connection, 1, list(known)).items()
        }
        strange = sum(ledger.count(connection, 1).values()) - len(recorded)
        recorded.update(
            (f"unknown row {number}", int(Recorded.DELIVERED)) for number in range(strange)
        )
    where = None
    if mark is not None and mark.cursor is not None:
        where = (
            _microseconds(mark.cursor),
            None if mark.key is None else str(json.loads(mark.key)[0]),
        )
    named = [(known.get(each, each.hex()), attempts) for each, attempts in quarantine]
    return State(recorded, where, runs, [name for name, _ in named], intents, dict(named))


class Stuck(AssertionError):
    """A destination that never gets to its end."""


def _microseconds(value: Any) -> int:
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
