"""The number of requests in flight finds what a platform bears, without a storm of refusals."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.auth.base import NoAuth
from connector.delivery.concurrency import START, ConcurrencyLimit, Learned, Ticket
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.sender import Sender
from connector.delivery.transports.base import HttpRequest
from connector.model import RowState
from tests.delivery.test_sender import SPEC, page_of
from tests.support.servers import Peer, record, serving

RETRY_SECONDS = 1.0


@dataclass
class Platform:
    """A platform in virtual time, and one run against it.

    bears: requests at once, more are answered with 429. latency: seconds of an answer, by how many
    are in flight and the number of the request. fails: whether it answers with 503, by that number.
    """

    bears: int = 1000
    latency: Callable[[int, int], float] = lambda _in_flight, _number: 0.1
    fails: Callable[[int], bool] = lambda _number: False
    now: float = 0.0
    refused: int = 0
    requests: int = 0
    most: int = 0
    limits: list[int] = field(default_factory=list)

    def limit(self, maximum: int = 32, learned: Learned | None = None) -> ConcurrencyLimit:
        return ConcurrencyLimit(maximum, learned, lambda: self.now, lambda: self.now)

    def take(self, limit: ConcurrencyLimit, batches: int, keep_busy: bool = True) -> None:
        """Send so many batches, as many at once as the limit lets through."""
        order = itertools.count()
        events: list[tuple[float, int, str, Ticket | None]] = []
        in_flight = done = 0

        def send() -> None:
            nonlocal in_flight
            self.requests += 1
            ticket = limit.sent()
            if in_flight >= self.bears:
                what, seconds = "throttled", 0.001
            else:
                in_flight += 1
                self.most = max(self.most, in_flight)
                what = "failed" if self.fails(self.requests) else "answered"
                seconds = self.latency(in_flight, self.requests)
            heapq.heappush(events, (self.now + seconds, next(order), what, ticket))

        while done < batches:
            while batches - done > limit.active and limit.try_take():
                send()
                if not keep_busy:
                    break
            self.now, _, what, ticket = heapq.heappop(events)
            if ticket is None:
                send()
                continue
            if what == "throttled":
                self.refused += 1
                limit.throttled(ticket)
            elif what == "failed":
                in_flight -= 1
                limit.failed(ticket)
            else:
                in_flight -= 1
                limit.answered(ticket)
                limit.release()
                done += 1
            if what != "answered":
                heapq.heappush(events, (self.now + RETRY_SECONDS, next(order), "retry", None))
            self.limits.append(limit.limit)


@pytest.mark.parametrize("bears", [1, 2, 8, 13, 24])
def test_a_platform_that_throttles_above_some_number_finds_about_that_many_in_flight(
    bears: int,
) -> None:
    platform = Platform(bears)
    limit = platform.limit()
    platform.take(limit, 3000)
    assert bears <= limit.limit <= bears + 1
    assert platform.refused < 0.01 * platform.requests
    settled = platform.limits[1000:]
    assert min(settled) >= bears * 0.6
    assert sum(settled) / len(settled) >= bears * 0.95


def test_the_next_run_begins_where_the_last_one_ended() -> None:
    platform = Platform(8)
    first = platform.limit()
    platform.take(first, 500)
    platform.refused = 0
    second = platform.limit(learned=first.learned)
    assert second.limit == first.limit
    platform.take(second, 500)
    assert platform.refused == 0
    assert min(platform.limits[-500:]) == max(platform.limits[-500:]) == 8


def test_a_platform_that_bears_everything_gets_the_maximum_within_a_few_answers() -> None:
    platform = Platform()
    limit = platform.limit()
    platform.take(limit, 100)
    assert limit.limit == platform.most == 32
    assert platform.limits.index(32) < 2 * 32


@pytest.mark.parametrize("maximum", [1, 2, 3, 8])
def test_there_are_never_more_than_the_maximum_whatever_was_learned(maximum: int) -> None:
    for learned in (None, Learned(64), Learned(64, 64, 0.0)):
        platform = Platform()
        platform.take(platform.limit(maximum, learned), 200)
        assert platform.most == maximum


def test_what_is_not_used_does_not_grow() -> None:
    platform = Platform()
    limit = platform.limit()
    platform.take(limit, 200, keep_busy=False)
    assert limit.limit == START


def test_a_platform_that_bears_more_again_is_found_out_by_rare_tries() -> None:
    platform = Platform(4)
    limit = platform.limit()
    platform.take(limit, 3000)
    platform.bears = 16
    platform.take(limit, 12_000)
    assert limit.limit >= 15


def test_a_ceiling_that_was_found_long_ago_is_tried_again() -> None:
    platform = Platform(now=10_000.0)
    for age, expected in ((3000, 4), (4000, 32)):
        limit = platform.limit(learned=Learned(4, 4, platform.now - age))
        platform.take(limit, 900)
        assert limit.limit == expected


def test_a_platform_that_only_becomes_slower_with_more_is_not_driven_to_the_maximum() -> None:
    """It works at six requests at once; more only wait longer."""
    platform = Platform(latency=lambda in_flight, _number: 0.1 * max(1.0, in_flight / 6))
    limit = platform.limit(64)
    platform.take(limit, 5000)
    settled = platform.limits[1000:]
    assert min(settled) >= START
    assert sum(settled) / len(settled) < 40


def test_a_busy_machine_is_no_slow_platform() -> None:
    """From some moment on, nine answers of ten come a second late."""
    platform = Platform(
        latency=lambda _in_flight, number: 0.01 if number < 300 or number % 10 == 0 else 1.01
    )
    limit = platform.limit()
    platform.take(limit, 1000)
    assert platform.limits[-900:] == [32] * 900


def test_a_quick_platform_is_not_tried_again_every_moment() -> None:
    """Each refusal is a pause: a thousand answers pass in a part of a second."""
    platform = Platform(8, latency=lambda _in_flight, _number: 0.001)
    limit = platform.limit()
    platform.take(limit, 20_000)
    assert platform.refused < 18


def test_requests_from_before_a_fall_that_are_sent_again_say_nothing_of_the_new_limit() -> None:
    limit = ConcurrencyLimit.fixed(8)
    first, *_ = [limit.sent() for _ in range(8) if limit.try_take()]
    limit.throttled(first)
    assert limit.limit == 6
    limit.throttled(limit.sent())
    assert limit.limit == 6


def test_a_slow_day_takes_nothing_below_the_start_and_passes() -> None:
    platform = Platform()
    limit = platform.limit()
    platform.take(limit, 500)
    platform.latency = lambda _in_flight, _number: 2.0
    platform.take(limit, 3000)
    assert min(platform.limits) >= START
    assert limit.limit == 32


def test_an_outage_lets_it_fall_to_one_and_come_back() -> None:
    platform = Platform(fails=lambda number: 300 <= number < 400)
    limit = platform.limit()
    platform.take(limit, 2000)
    assert min(platform.limits[300:]) <= START
    assert limit.limit == 32


def test_now_and_then_a_failure_costs_little() -> None:
    platform = Platform(fails=lambda number: number % 200 == 0)
    limit = platform.limit()
    platform.take(limit, 5000)
    settled = platform.limits[1000:]
    assert sum(settled) / len(settled) > 20


def test_what_left_together_falls_once() -> None:
    limit = ConcurrencyLimit.fixed(8)
    tickets = [limit.sent() for _ in range(8) if limit.try_take()]
    for ticket in tickets:
        limit.throttled(ticket)
    assert limit.limit == 6
    assert limit.learned.ceiling == 7


@given(
    st.integers(1, 64),
    st.lists(st.sampled_from(["take", "answered", "throttled", "failed", "release"]), max_size=300),
)
def test_whatever_happens_the_limit_stays_between_one_and_the_maximum(
    maximum: int, events: list[str]
) -> None:
    limit = ConcurrencyLimit(maximum)
    tickets: list[Ticket] = []
    for event in events:
        if event == "take" and limit.try_take():
            tickets.append(limit.sent())
        elif event == "release" and limit.active:
            limit.release()
        elif event in ("answered", "throttled", "failed") and tickets:
            getattr(limit, event)(tickets.pop())
        assert 1 <= limit.limit <= maximum
        assert 0 <= limit.active <= maximum


def test_a_receiver_that_throttles_above_some_number_sees_few_requests_too_many(
    kind: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real requests: the receiver keeps each until the sender has as many in flight as it may."""
    monkeypatch.setattr("connector.delivery.retry.REQUESTED_JITTER", 0.0)
    bears, rows = 6, 2000
    changed = threading.Condition()
    in_flight = most = refused = 0
    limit = ConcurrencyLimit(32)

    def is_full() -> bool:
        return in_flight >= min(limit.limit, bears + 1)

    def behave(peer: Peer) -> None:
        nonlocal in_flight, most, refused
        while peer.read() is not None:
            with changed:
                in_flight += 1
                throttled = in_flight > bears
                changed.notify_all()
                changed.wait_for(is_full, timeout=0.01)
                refused += throttled
                most = max(most, in_flight)
                in_flight -= 1
            if throttled:
                peer.answer(429, "{}", {"Retry-After": "0"})
            else:
                peer.answer(body='{"received": 1}')

    with serving(behave) as server:
        transport = kind(timeout=5, connections=limit.maximum)
        sender = Sender(
            transport,  # type: ignore[arg-type]
            NoAuth(),
            SPEC,
            lambda _page, batch: HttpRequest("POST", server.url, {}, batch.records[0]),
            concurrency=limit,
            rate_limiter=RateLimiter(None),
        )
        try:
            page = page_of([record(number) for number in range(rows)], 1)
            result = sender.finish(sender.submit(page))
        finally:
            sender.close()
            transport.close()  # type: ignore[attr-defined]
    assert (result.states == RowState.DELIVERED).all()
    assert 0 < refused < 0.01 * len(server.requests)
    assert bears - 2 <= limit.limit <= bears + 1
    assert most <= 2 * bears
