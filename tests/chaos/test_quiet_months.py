"""A machine of hypothesis: days and months pass, and the ledger forgets after a month.

Source and state are real SQLite files; the wire and the clocks are replaced. No key may reach the
platform twice, unless a request was ambiguous or a person said so; and no new row may be held back
because of what was forgotten.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import shutil
import tempfile
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.commands.erase import erase, recorded
from connector.commands.reconcile import reconcile
from connector.commands.replay import replay
from connector.commands.resolve import resolve
from connector.commands.sync import sync
from connector.delivery import factory, retry
from connector.delivery.transports.base import HttpRequest, HttpResponse, TransportFailure
from connector.engine.plan import Options
from connector.engine.report import Report
from connector.state import lease
from connector.state.store import Store, state_url
from tests.chaos.receiver import records_of
from tests.chaos.world import row, write_project
from tests.support.clock import FakeClock
from tests.support.projects import TOKEN
from tests.support.warehouses import Sqlite

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MEMORY = dt.timedelta(days=30)
SURE = dt.timedelta(days=26)
"""An event of so recent a time must be sent: the memory without the margins of loading and lag."""

JSON = {"content-type": "application/json"}


class Wire:
    """Stands where a transport does: takes every record; an answer may get lost on the way back."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.said_yes = False
        self.lost: deque[bool] = deque()

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """One request, one answer."""
        keys = [str(json.loads(record)["order_id"]) for record in records_of(request.body)]
        lost = bool(self.lost) and self.lost.popleft()
        self.taken.update(keys)
        if lost or self.said_yes:
            self.excused.update(keys)
        if lost:
            return TransportFailure("unknown", "the connection broke")
        return HttpResponse(200, JSON, b'{"received": %d, "status": "ok"}' % len(keys))

    def submit(self, request: HttpRequest, then: Any) -> None:
        """As `send`."""
        then(self.send(request))

    def close(self) -> None:
        """Nothing is open."""


class Machine(RuleBasedStateMachine):
    """One destination over the months."""

    @initialize(lookback=st.sampled_from(["0s", "24h", "20d"]))
    def begin(self, lookback: str) -> None:
        """A new source, a new state, and a wire that ends here."""
        self.folder = Path(tempfile.mkdtemp(prefix="months"))
        shutil.copytree(templates(), self.folder, dirs_exist_ok=True)
        self.source = Sqlite(self.folder)
        project = write_project(
            self.folder / "project",
            "batching",
            self.source.url,
            "http://127.0.0.1:9/x",
            source__lag="0s",
            source__lookback=lookback,
            delivery__batch_size=3,
            privacy={"retention": "7d", "ledger_retention": "30d"},
        )
        self.lookback = {"0s": 0.0, "24h": 1.0, "20d": 20.0}[lookback]
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("CAPI_HOME", str(self.folder / "home"))
        self.patch.setenv("ACME_TOKEN", TOKEN)
        self.clock = FakeClock(self.patch, BEGIN)
        self.wire = Wire()
        self.patch.setattr(factory, "open_transport", lambda *_choice, **_options: self.wire)
        self.patch.setattr(lease, "_is_dead", lambda _process: True)
        self.patch.setattr(retry, "BACKOFF_BASE", 0.0)
        self.made = project.load()
        self.number = 0
        self.events: dict[str, dt.datetime] = {}
        self.erased: dict[str, int] = {}
        """Row -> how often it had arrived when it was erased."""

    def _insert(self, count: int, late: dt.timedelta, age: dt.timedelta) -> None:
        made = []
        for _ in range(count):
            self.number += 1
            cursor = self.clock.now - late
            made.append(row(self.number, updated_at=cursor, event_time=cursor - age))
            self.events[made[-1]["conversion_id"]] = cursor - age
        self.source.insert(*made)

    @rule(count=st.integers(1, 4), hours=st.integers(0, 5 * 24), runs=st.booleans())
    def insert(self, count: int, hours: int, runs: bool) -> None:
        """Conversions are loaded, some days after they happened."""
        self._insert(count, dt.timedelta(), dt.timedelta(hours=hours))
        if runs:
            self._run(Options())

    @precondition(lambda self: self.lookback)
    @rule(share=st.floats(0, 0.9))
    def arrive_late(self, share: float) -> None:
        """A conversion is committed behind the watermark, within lookback."""
        self._insert(1, dt.timedelta(days=self.lookback * share), dt.timedelta(hours=1))

    @precondition(lambda self: self.number)
    @rule(runs=st.booleans())
    def touch_all(self, runs: bool) -> None:
        """A backfill writes every row again, as it is."""
        self.source.execute(
            "update conversions set updated_at = ?", self.source.adapt(self.clock.now)
        )
        if runs:
            self._run(Options())

    @precondition(lambda self: self.number)
    @rule(data=st.data(), value=st.sampled_from(["5.00", "6.00"]))
    def change(self, data: st.DataObject, value: str) -> None:
        """A row changes."""
        key = f"c{data.draw(st.integers(1, self.number)):06d}"
        self.source.execute(
            "update conversions set updated_at = ?, value = ? where conversion_id = ?",
            *(self.source.adapt(self.clock.now), value, key),
        )

    @rule(hours=st.sampled_from([1, 20, 30, 24 * 7, 24 * 32]))
    def wait(self, hours: int) -> None:
        """Hours or weeks pass, and nothing runs."""
        self.clock.advance(hours=hours)

    @rule(weeks=st.integers(1, 9))
    def work_for_weeks(self, weeks: int) -> None:
        """Weeks pass as they should: rows come, and runs deliver them."""
        for _ in range(2):
            self.clock.advance(days=weeks * 3.5)
            self._insert(1, dt.timedelta(), dt.timedelta(hours=3))
            self._run(Options())

    @rule(
        lost=st.lists(st.booleans(), max_size=4),
        limit=st.none() | st.integers(1, 5),
        replayed=st.booleans(),
    )
    def run(self, lost: list[bool], limit: int | None, replayed: bool) -> None:
        """A run; answers may get lost."""
        self.wire.lost = deque(lost)
        self._run(Options(limit=limit, replay_rejected=replayed))

    @rule()
    def run_with_yes(self) -> None:
        """A person says so."""
        self.wire.said_yes = True
        self._run(Options(yes=True))
        self.wire.said_yes = False

    @precondition(lambda self: self.number)
    @rule(days=st.integers(1, 200))
    def run_since(self, days: int) -> None:
        """A run over what lies behind the watermark."""
        self._run(Options(since=self.clock.ago(days=days)))

    @rule(send=st.booleans(), days=st.none() | st.integers(1, 200))
    def reconcile(self, send: bool, days: int | None) -> None:
        """Rows behind the watermark are compared with the ledger."""
        if self.number:
            since = None if days is None else self.clock.ago(days=days)
            reconcile(self.made, since=since, send=send)

    @rule()
    def replay(self) -> None:
        """What is in quarantine is tried again."""
        replay(self.made)

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """A person has a row erased, whatever is recorded of it."""
        key = f"c{data.draw(st.integers(1, self.number)):06d}"
        erase(self.made, key=(key,))
        self.erased.setdefault(key, self.wire.taken[key])

    @rule(days=st.none() | st.integers(0, 200))
    def restart(self, days: int | None) -> None:
        """A person puts the watermark elsewhere;
        into the past, or nothing would be owed any more.
        """
        resolve(
            self.made,
            restart="all" if days is None else self.clock.ago(days=days + 200).isoformat(),
        )

    def _run(self, options: Options) -> Report:
        report = sync(self.made, options=options)
        self.wire.lost.clear()
        return report

    @invariant()
    def nothing_arrives_twice(self) -> None:
        """Once, and once more for each time that nobody can be blamed for."""
        if hasattr(self, "wire"):
            twice = {
                key: number
                for key, number in self.wire.taken.items()
                if number > 1 + self.wire.excused[key]
            }
            assert twice == {}

    @invariant()
    def nothing_of_an_erased_row_arrives(self) -> None:
        """Whatever happens later, and however long ago it was erased."""
        if hasattr(self, "wire"):
            assert {key: self.wire.taken[key] for key in self.erased} == self.erased

    def teardown(self) -> None:
        """In the end everything that is owed was delivered."""
        if not hasattr(self, "folder"):
            return
        try:
            self.clock.advance(hours=1)
            assert any(self._run(Options()).complete for _ in range(3))
            self.nothing_arrives_twice()
            self.nothing_of_an_erased_row_arrives()
            new = [key for key, moment in self.events.items() if moment > self.clock.now - SURE]
            states = dict.fromkeys(new, "delivered") | dict.fromkeys(self.erased, "erased")
            assert {key: recorded(self.made, key=(key,)) for key in states} == states
        finally:
            self.patch.undo()
            shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def templates() -> Path:
    """An empty source and an empty state, made once: migrations take longer than a run."""
    folder = Path(tempfile.mkdtemp(prefix="templates"))
    Sqlite(folder).create()
    store = Store.open(state_url(folder).set(database=str(folder / "home" / "state.db")))
    store.key()
    store.close()
    return folder


def test_months_pass_and_nothing_arrives_twice() -> None:
    """Found again by seed: set CHAOS_SEED for other examples than the usual ones."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(os.environ.get("CHAOS_EXAMPLES", "14")),
            stateful_step_count=20,
            deadline=None,
            derandomize="CHAOS_SEED" not in os.environ,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
