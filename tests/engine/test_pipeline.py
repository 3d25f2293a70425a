"""Commits are grouped by rows and time: what a kill may send again is bounded.

A platform is simulated by the clock: each request takes as long as any other, and as many are in
flight as there are connections.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from connector.arrow.records import Records
from connector.engine import pipeline
from connector.engine.checkpoint import NullCheckpointer
from connector.engine.pipeline import COMMIT_ROWS, COMMIT_SECONDS, deliver_pages
from connector.model import Batch, Mark, Page, PageResult, RowState

AS_OF = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TICK = 0.002


class Clock:
    """Seconds, in place of `time` and of the waits of the pipeline, which make it go on."""

    now = 100.0
    waits = 0

    def monotonic(self) -> float:
        return self.now

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def notify_all(self) -> None: ...

    def wait_for(self, met: Callable[[], bool], timeout: float | None) -> None:
        self.waits += 1
        assert self.waits < 100_000, "it waits for nothing"
        end = None if timeout is None else self.now + timeout
        while not met() and (end is None or self.now < end):
            self.now += TICK


class InFlight:
    """A page under way: begins and ends of its requests."""

    def __init__(self, page: Page, clock: Clock, spans: list[tuple[float, float]]) -> None:
        self.result, self.clock, self.spans = PageResult.of(page), clock, spans

    def done(self) -> bool:
        return all(end <= self.clock.now for _, end in self.spans)

    def sent(self) -> int:
        """Rows of which a platform may know."""
        begun = sum(begin <= self.clock.now for begin, _ in self.spans)
        return begun * len(self.result.page) // len(self.spans)


class Platform:
    """A sender whose requests take `latency` seconds each."""

    error = None
    ready = 2
    on_progress: Callable[[], None]

    def __init__(self, clock: Clock, connections: int, latency: float) -> None:
        self.clock, self.concurrency, self.latency = clock, connections, latency
        self.free = [clock.now] * connections
        self.pages: list[InFlight] = []
        self.idle = 0.0

    @property
    def is_short(self) -> bool:
        waiting = [begin for page in self.pages for begin, _ in page.spans]
        return sum(begin > self.clock.now for begin in waiting) < self.ready

    def submit(self, page: Page) -> InFlight:
        spans = []
        for _ in page.batches:
            free = heapq.heappop(self.free)
            begin = max(free, self.clock.now)
            self.idle += begin - free
            heapq.heappush(self.free, begin + self.latency)
            spans.append((begin, begin + self.latency))
        self.pages.append(InFlight(page, self.clock, spans))
        return self.pages[-1]

    def finish(self, flying: InFlight) -> PageResult:
        flying.result.states[:] = RowState.DELIVERED
        return flying.result

    def end(self) -> None: ...


class Commits(NullCheckpointer):
    """Notes when rows are recorded, and how many a kill right before could have sent twice."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform, self.rows, self.at = platform, [0], [platform.clock.now]
        self.exposed = 0

    def advance(self, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        super().advance(done, starting)
        sent = sum(flying.sent() for flying in self.platform.pages)
        self.exposed = max(self.exposed, sent)
        recorded = {id(result) for result in done}
        self.platform.pages = [
            flying for flying in self.platform.pages if id(flying.result) not in recorded
        ]
        self.rows.append(sum(len(result.page) for result in done))
        self.at.append(self.platform.clock.now)


def pages(number: int, rows: int, batch: int) -> list[Page]:
    """Pages of so many rows each, so many of which share a request."""
    made = []
    for page in range(number):
        batches = [
            Batch(Records.of([b"{}"] * min(batch, rows - start)), list(range(start, start + batch)))
            for start in range(0, rows, batch)
        ]
        hashes = [b"%08d%08d" % (page, row) for row in range(rows)]
        upto = Mark(f"{page:06d}", (str(page),))
        cursors = [str(page)] * rows
        made.append(
            Page(0, page, "range", None, upto, hashes, cursors, None, {}, batches, AS_OF, batch)
        )
    return made


@pytest.mark.parametrize(
    ("number", "rows", "batch", "connections", "latency"),
    [
        (300, 1_000, 1_000, 4, 0.004),
        (300, 1_000, 1_000, 16, 0.15),
        (60, 1_000, 1_000, 1, 0.15),
        (60, 1_000, 1_000, 4, 3.0),
        (40, 100, 1, 4, 0.01),
        (40, 100, 1, 2, 0.2),
        (400, 20, 20, 8, 0.05),
    ],
)
def test_commits_are_grouped_and_no_connection_waits_for_one(
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    rows: int,
    batch: int,
    connections: int,
    latency: float,
) -> None:
    clock = Clock()
    monkeypatch.setattr(pipeline, "time", clock)
    monkeypatch.setattr(pipeline, "threading", SimpleNamespace(Condition=lambda: clock))
    platform = Platform(clock, connections, latency)
    commits = Commits(platform)
    sender: Any = platform
    assert deliver_pages(iter([pages(number, rows, batch)]), lambda: sender, commits) is None
    assert commits.counts["delivered"] == number * rows == sum(commits.rows)

    most = COMMIT_ROWS + rows + connections * batch
    assert commits.exposed <= most, "rows that a kill may send twice"
    took = clock.now - commits.at[0]
    learning = 6
    assert len(commits.at) <= learning + 2 * (took / COMMIT_SECONDS + number * rows / COMMIT_ROWS)
    answers_of_a_page = -(-rows // batch) * latency / connections
    gaps = [later - at for at, later in zip(commits.at, commits.at[1:], strict=False)]
    assert max(gaps) <= COMMIT_SECONDS + answers_of_a_page + latency + TICK
    requests = number * -(-rows // batch)
    assert took <= 1.1 * (requests * latency / connections) + 3 * latency
