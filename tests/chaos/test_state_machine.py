"""A machine of hypothesis that drives the real cursor,
paging, sender and commit code in this process.

Source and state are real SQLite files; only the wire is replaced, and the clock of the warehouse. A
crash is an exception that nothing catches, after which neither a request leaves nor a transaction
commits, as after `kill -9`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.commands.rekey import rekey
from connector.commands.sync import sync
from connector.delivery import factory as dispatch
from connector.delivery import retry
from connector.delivery.transports.base import HttpRequest, HttpResponse, TransportFailure
from connector.engine import context as session
from connector.engine import failpoints, pipeline
from connector.engine.plan import Options
from connector.source import survey
from connector.state import lease
from connector.state.store import Store
from tests.chaos.books import Books, Spell, violations
from tests.chaos.receiver import FAULTS, Call, Entry, is_poisoned, records_of
from tests.chaos.world import (
    COMMIT_PAGES,
    PLATFORMS,
    SINGLE_COMMIT_ROWS,
    SINGLE_PAGE,
    UNRECORDED_PAGES,
    invalid,
    poisoned,
    read_rows,
    read_state,
    row,
    write_project,
)
from tests.support.projects import TOKEN
from tests.support.warehouses import Sqlite

LAG = dt.timedelta(seconds=10)
JSON = {"content-type": "application/json"}


class Crash(BaseException):
    """The process is gone."""


class Machine(RuleBasedStateMachine):
    """One destination; its rows, runs, crashes and bad answers in any order."""

    @initialize(
        platform=st.sampled_from(PLATFORMS),
        batch=st.integers(1, 4),
        lookback=st.sampled_from(["0s", "1m"]),
        slice_rows=st.sampled_from([3, 250_000]),
        keys=st.sampled_from(["plain", "hashed"]),
    )
    def begin(self, platform: str, batch: int, lookback: str, slice_rows: int, keys: str) -> None:
        """A new source, a new state, and a wire that ends here."""
        self.folder = Path(tempfile.mkdtemp(prefix="machine"))
        shutil.copytree(templates(), self.folder, dirs_exist_ok=True)
        self.source = Sqlite(self.folder)
        self.state = self.folder / "home" / "state.db"
        changes: dict[str, Any] = {"delivery__batch_size": batch} if platform == "batching" else {}
        project = write_project(
            self.folder / "project",
            platform,
            self.source.url,
            "http://127.0.0.1:9/x",
            source__lag="10s",
            source__lookback=lookback,
            delivery__slice_rows=slice_rows,
            privacy__keys=keys,
            **changes,
        )
        self.platform = platform
        self.batch, self.page, self.has_lookback = (
            (batch, batch, lookback != "0s")
            if platform == "batching"
            else (1, SINGLE_PAGE, lookback != "0s")
        )
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("CAPI_HOME", str(self.state.parent))
        self.patch.setenv("ACME_TOKEN", TOKEN)
        self.destination = project.load()
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=3)
        self.number = 0
        self.held: list[dict[str, Any]] = []
        self.late: set[str] = set()
        self.calls: list[Call] = []
        self.entries: list[Entry] = []
        self.unclean: list[Spell] = []
        self.faults: deque[str] = deque()
        self.crash_at: tuple[str, int] | None = None
        self.reached: Counter[str] = Counter()
        self.dead = False
        self.settled = True
        self.lock = threading.Lock()
        self._replace_the_world()

    def _replace_the_world(self) -> None:
        self.patch.setattr(survey, "read_clock", lambda *_: self.now)
        self.patch.setattr(dispatch, "open_transport", lambda *_choice, **_options: Wire(self))
        self.patch.setattr(failpoints, "reach", self.reach)
        self.patch.setattr(lease, "_is_dead", lambda _process: True)
        self.patch.setattr(retry, "BACKOFF_BASE", 0.0)
        rows = SINGLE_COMMIT_ROWS if self.batch == 1 else COMMIT_PAGES * self.batch
        self.patch.setattr(pipeline, "COMMIT_ROWS", rows)
        write = Store.write

        def write_if_alive(store: Store) -> Any:
            if self.dead:
                raise Crash
            return write(store)

        self.patch.setattr(Store, "write", write_if_alive)

    def reach(self, name: str) -> None:
        """A failpoint: perhaps this is where the process ends."""
        if self.dead:
            raise Crash
        if self.crash_at is not None and self.crash_at[0] == name:
            self.reached[name] += 1
            if self.reached[name] == self.crash_at[1]:
                self.dead = True
                raise Crash

    def _new(self, **changes: Any) -> dict[str, Any]:
        self.number += 1
        return row(self.number, **{"updated_at": self.now, **changes})

    @rule(
        count=st.integers(1, 7),
        kind=st.sampled_from(["good", "good", "good", "poisoned", "invalid"]),
    )
    def insert(self, count: int, kind: str) -> None:
        """Rows that share a cursor value; the first may be a bad one."""
        made = [self._new() for _ in range(count)]
        made[0] = {"good": dict, "poisoned": poisoned, "invalid": invalid}[kind](made[0])
        self.source.insert(*made)

    @rule()
    def hold(self) -> None:
        """A transaction begins, which fixes its timestamp,
        and does not commit before a later one.
        """
        self.held.append(self._new())
        self._advance(1)
        self.source.insert(self._new())

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        """The transactions commit, within the lag."""
        self._commit_held(self.now)

    def _commit_held(self, began_before: dt.datetime) -> None:
        due = [each for each in self.held if each["updated_at"] <= began_before]
        self.held = [each for each in self.held if each["updated_at"] > began_before]
        if due:
            self.source.insert(*due)

    @precondition(lambda self: self.has_lookback)
    @rule(seconds=st.integers(1, 60))
    def arrive_late(self, seconds: int) -> None:
        """A row is loaded long after its timestamp, but within lookback."""
        made = self._new(updated_at=self.now - dt.timedelta(seconds=seconds))
        self.late.add(made["conversion_id"])
        self.source.insert(made)

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        """A row is updated: its cursor moves, its values do not.

        Rows that were refused would rightly be counted again.
        """
        key = f"c{data.draw(st.integers(1, self.number)):06d}"
        self.source.execute(
            (
                "update conversions set updated_at = ? where conversion_id = ? and updated_at < "
                "? and value > 0 and value < 1000"
            ),
            *(self.source.adapt(self.now), key, self.source.adapt(self.now)),
        )

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self._advance(seconds)

    def _advance(self, seconds: int) -> None:
        """Transactions do not stay open for longer than the lag."""
        later = self.now + dt.timedelta(seconds=seconds)
        self._commit_held(later - LAG)
        self.now = later

    @rule(
        faults=st.lists(
            st.sampled_from(["", "", *(name for name in FAULTS if name != "429_decimal")]),
            max_size=8,
        ),
        crash=st.none() | st.tuples(st.sampled_from(failpoints.NAMES), st.integers(1, 6)),
        limit=st.none() | st.integers(1, 9),
    )
    def run(self, faults: list[str], crash: tuple[str, int] | None, limit: int | None) -> None:
        """A run, which may meet bad answers and may crash."""
        self.faults, self.crash_at = deque(faults), crash
        self.reached.clear()
        self._sync(limit)
        self.settled = False

    @rule(crash=st.booleans())
    def rekey(self, crash: bool) -> None:
        """The installation's key is replaced, or nearly: then all is as it was."""
        self.faults.clear()
        self.crash_at = ("inside_commit", 1) if crash else None
        self.reached.clear()
        before = self._installation_key()
        try:
            done = rekey([self.destination])
        except Crash:
            assert self._installation_key() == before
        else:
            assert self._installation_key() != before
            assert not any(each.forgotten for each in done.destinations)
        finally:
            self.dead = False
            self.crash_at = None
        self.settled = False

    def _installation_key(self) -> str:
        with contextlib.closing(sqlite3.connect(self.state)) as connection:
            return str(connection.execute("select key_hex from installation").fetchone()[0])

    def _sync(self, limit: int | None = None) -> bool:
        self._forget_patience()
        began = time.time_ns()
        try:
            report = sync(self.destination, options=Options(limit=limit))
        except Crash:
            self.unclean.append(Spell(began, time.time_ns()))
            return False
        finally:
            self.dead = False
            self.crash_at = None
        return report.complete

    def _forget_patience(self) -> None:
        connection = sqlite3.connect(self.state)
        with connection:
            connection.execute("update destination set not_before = null")
        connection.close()

    @invariant()
    def nothing_is_wrong(self) -> None:
        """What must hold between any two steps."""
        if hasattr(self, "settled") and not self.settled:
            self.settled = True
            assert violations(self._books(), final=False) == []

    def teardown(self) -> None:
        """In the end everything is settled."""
        if not hasattr(self, "folder"):
            return
        try:
            self._commit_held(self.now)
            self.now += dt.timedelta(minutes=5)
            self.faults.clear()
            assert any(self._sync() for _ in range(3)), (
                "rows still wait after three runs in fair weather"
            )
            assert violations(self._books(), final=True) == []
        finally:
            self.patch.undo()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _books(self) -> Books:
        rows, platform = read_rows(self.source), self.platform
        state = read_state(f"sqlite:///{self.state}", list(rows))
        return Books(
            rows,
            self.calls,
            self.entries,
            state,
            self.unclean,
            self.late,
            {},
            {},
            UNRECORDED_PAGES[platform] * self.page,
            self.batch,
        )

    def answer(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """What the platform makes of a request."""
        with self.lock:
            return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        records = records_of(request.body)
        poison = any(map(is_poisoned, records))
        name = self.faults.popleft() if self.faults else ""
        fault = FAULTS.get(name)
        now = time.time_ns()
        taken = not poison and (fault is None or fault.taken)
        self.calls.append(Call(now, name or ("refused" if poison else "ok"), taken, len(records)))
        if taken:
            for record in records:
                event = json.loads(record)
                entry = Entry(
                    now,
                    len(self.calls),
                    name or "ok",
                    event["order_id"],
                    event["event_id"],
                    hashlib.sha256(record).hexdigest(),
                )
                self.entries.append(entry)
        if fault is not None:
            if fault.kind == "redirect":
                return HttpResponse(302, {"location": "https://elsewhere.example"}, b"")
            if fault.kind != "status":
                return TransportFailure("unknown", "the connection broke")
            waits = {"retry-after": "0"} if fault.status == 429 else {}
            return HttpResponse(
                fault.status,
                {**JSON, **waits, **{key.lower(): value for key, value in fault.headers.items()}},
                fault.body,
            )
        if poison:
            return HttpResponse(400, JSON, b'{"error": {"code": "E_POISON", "message": "no"}}')
        return HttpResponse(200, JSON, b'{"received": %d, "status": "ok"}' % len(records))


class Wire:
    """Stands where a transport does."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._pool = ThreadPoolExecutor(2)

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """One request, one answer; none from a process that is gone."""
        if self._machine.dead:
            raise Crash
        return self._machine.answer(request)

    def submit(self, request: HttpRequest, then: Any) -> None:
        """As `send`, told to a function."""
        self._pool.submit(lambda: then(self._last_answer(request)))

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown()

    def _last_answer(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """An answer in any case, for a process that is gone waits for it no less."""
        try:
            return self.send(request)
        except Crash:
            return TransportFailure("unknown", "the process is gone")


@functools.cache
def templates() -> Path:
    """An empty source and an empty state, made once: migrations take longer than a run."""
    folder = Path(tempfile.mkdtemp(prefix="templates"))
    Sqlite(folder).create()
    store = Store.open(session.state_url(folder).set(database=str(folder / "home" / "state.db")))
    store.key()
    store.close()
    return folder


class TestMachine(Machine.TestCase):
    """Found again by seed: set CHAOS_SEED for other examples than the usual ones."""

    settings = settings(
        max_examples=int(os.environ.get("CHAOS_EXAMPLES", "25")),
        stateful_step_count=20,
        deadline=None,
        derandomize="CHAOS_SEED" not in os.environ,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
