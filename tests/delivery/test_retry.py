"""When to try again and when not to, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.outcome import Delivered, Halt, Outcome, Retry
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.retry import RetryPolicy
from connector.delivery.retry_budget import RetryBudget

FAILED = Retry("HTTP 503", ambiguous=False)
UNCLEAR = Retry("HTTP 500", ambiguous=True)
GARBLED = Retry("HTTP 200 with another body", ambiguous=True, not_understood=True)
THROTTLED = Retry("HTTP 429", ambiguous=False, throttled=True)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


class Dice:
    """Stands in for `random.uniform`; draws the same share of every range, 1.0 at first."""

    def __init__(self) -> None:
        self.share = 1.0

    def __call__(self, a: float, b: float) -> float:
        return a + self.share * (b - a)


@pytest.fixture(autouse=True)
def dice(monkeypatch: pytest.MonkeyPatch) -> Dice:
    drawn = Dice()
    monkeypatch.setattr("tenacity.wait.random.uniform", drawn)
    return drawn


class Platform:
    """Gives prepared outcomes, the last of them for ever; counts how often it was asked."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = outcomes
        self.asked = 0

    def __call__(self) -> Outcome:
        self.asked += 1
        return self._outcomes[min(self.asked, len(self._outcomes)) - 1]


def policy(
    clock: Clock, budget: RetryBudget | None = None, ended: threading.Event | None = None
) -> RetryPolicy:
    return RetryPolicy(
        budget or RetryBudget(requests=10_000), ended or threading.Event(), clock.sleep
    )


@pytest.mark.parametrize("final", [Delivered(), Halt("no")])
def test_a_final_outcome_is_not_repeated(final: Outcome) -> None:
    clock, platform = Clock(), Platform(final)
    assert policy(clock).run(platform) == final
    assert (platform.asked, clock.slept) == (1, [])


@pytest.mark.parametrize(("outcome", "attempts"), [(FAILED, 5), (UNCLEAR, 5), (GARBLED, 3)])
def test_a_failure_is_repeated_so_often_and_then_left_to_the_next_run(
    outcome: Retry, attempts: int
) -> None:
    clock, platform = Clock(), Platform(outcome)
    assert policy(clock).run(platform) == outcome
    assert platform.asked == attempts
    assert len(clock.slept) == attempts - 1


def test_a_repetition_that_succeeds_is_a_success() -> None:
    platform = Platform(FAILED, UNCLEAR, Delivered())
    assert policy(Clock()).run(platform) == Delivered()
    assert platform.asked == 3


def test_pauses_double_and_jitter_is_full(dice: Dice) -> None:
    longest, shortest = Clock(), Clock()
    policy(longest).run(Platform(FAILED))
    dice.share = 0.0
    policy(shortest).run(Platform(FAILED))
    assert longest.slept == [0.5, 1.0, 2.0, 4.0]
    assert shortest.slept == [0.0, 0.0, 0.0, 0.0]


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_every_pause_lies_between_nothing_and_its_bound(seed: int) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenacity.wait.random.uniform", random.Random(seed).uniform)
        policy(clock).run(Platform(FAILED))
    assert all(
        0 <= pause <= bound for pause, bound in zip(clock.slept, [0.5, 1.0, 2.0, 4.0], strict=True)
    )


@pytest.mark.parametrize("wait", [0.0, 1.5, 60.0])
def test_the_platforms_wait_is_honoured_with_little_on_top(wait: float) -> None:
    clock = Clock()
    policy(clock).run(Platform(Retry("HTTP 503", ambiguous=False, wait=wait), Delivered()))
    assert len(clock.slept) == 1
    assert wait <= clock.slept[0] <= wait + 0.5


@pytest.mark.parametrize("throttled", [True, False])
def test_a_wait_of_more_than_a_minute_ends_it_at_once(throttled: bool) -> None:
    clock, platform = (
        Clock(),
        Platform(Retry("HTTP 429", ambiguous=False, wait=60.1, throttled=throttled)),
    )
    policy(clock).run(platform)
    assert (platform.asked, clock.slept) == (1, [])


def test_throttling_is_borne_for_a_minute_and_costs_no_budget() -> None:
    clock, budget = Clock(), RetryBudget()
    platform = Platform(Retry("HTTP 429", ambiguous=False, wait=10.0, throttled=True))
    policy(clock, budget=budget).run(platform)
    assert 60 < sum(clock.slept) < 75
    assert platform.asked == len(clock.slept) + 1 > 5
    assert budget.retries == 0


def test_throttling_without_a_word_is_answered_with_growing_pauses_and_never_with_none(
    dice: Dice,
) -> None:
    slow, quick = Clock(), Clock()
    policy(slow).run(Platform(THROTTLED))
    dice.share = 0.0
    policy(quick).run(Platform(THROTTLED))
    assert slow.slept[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert set(quick.slept) == {0.2}
    assert 60 < sum(quick.slept) < 61


def test_throttling_is_not_counted_as_an_attempt() -> None:
    platform = Platform(*[THROTTLED] * 6, FAILED, Delivered())
    assert policy(Clock()).run(platform) == Delivered()


def test_patience_is_for_throttling_in_a_row() -> None:
    told = Retry("HTTP 429", ambiguous=False, wait=25.0, throttled=True)
    assert policy(Clock()).run(Platform(told, told, FAILED, told, told, Delivered())) == Delivered()
    assert policy(Clock()).run(Platform(told, told, told, told, Delivered())) == told


def test_nothing_is_repeated_once_the_run_has_ended() -> None:
    for outcome in (FAILED, THROTTLED):
        clock, platform, ended = Clock(), Platform(outcome), threading.Event()
        ended.set()
        assert policy(clock, ended=ended).run(platform) == outcome
        assert (platform.asked, clock.slept) == (1, [])


# The budget: a fifth of the requests, and ten.


@pytest.mark.parametrize(
    ("requests", "retries"), [(0, 10), (1, 11), (5, 11), (50, 20), (1000, 210)]
)
def test_a_run_may_spend_ten_retries_and_a_fifth_of_its_requests(
    requests: int, retries: int
) -> None:
    budget = RetryBudget()
    for _ in range(requests):
        budget.count_request()
    assert sum(budget.spend() for _ in range(1000)) == retries


def test_without_budget_a_failure_is_left_to_the_next_run() -> None:
    clock, budget = Clock(), RetryBudget(floor=3)
    counts = []
    for _ in range(3):
        platform = Platform(FAILED)
        policy(clock, budget=budget).run(platform)
        counts.append(platform.asked)
    assert counts == [4, 1, 1]


def test_the_budget_holds_among_threads() -> None:
    budget = RetryBudget()
    with ThreadPoolExecutor(16) as pool:
        spent = list(pool.map(lambda _: budget.spend(), range(500)))
    assert spent.count(True) == budget.retries == 10


# The rate limiter: a rate, and pauses for all.


def passes(limiter: RateLimiter, clock: Clock, number: int) -> Iterator[float]:
    for _ in range(number):
        limiter.acquire()
        yield clock.now


def test_without_a_rate_nobody_waits() -> None:
    clock = Clock()
    assert set(passes(RateLimiter(None, clock, clock.sleep), clock, 100)) == {1000.0}


def test_a_rate_spaces_requests_evenly() -> None:
    clock = Clock()
    assert list(passes(RateLimiter(4.0, clock, clock.sleep), clock, 5)) == [
        1000.0,
        1000.25,
        1000.5,
        1000.75,
        1001.0,
    ]


def test_time_in_which_nothing_was_sent_is_not_saved_up() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, clock, clock.sleep)
    limiter.acquire()
    clock.now += 100
    assert list(passes(limiter, clock, 3)) == [1100.0, 1100.5, 1101.0]


def test_a_pause_holds_everybody_back_and_a_shorter_one_does_not_cut_it() -> None:
    clock = Clock()
    limiter = RateLimiter(None, clock, clock.sleep)
    limiter.pause(30)
    limiter.pause(5)
    assert list(passes(limiter, clock, 2)) == [1030.0, 1030.0]


def test_after_a_pause_the_rate_holds_again() -> None:
    clock = Clock()
    limiter = RateLimiter(2.0, clock, clock.sleep)
    limiter.pause(10)
    assert list(passes(limiter, clock, 3)) == [1010.0, 1010.5, 1011.0]


def test_a_pause_also_holds_back_who_is_already_waiting() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 1:
            limiter.pause(30)

    limiter = RateLimiter(1.0, clock, sleep)
    assert list(passes(limiter, clock, 2)) == [1000.0, pytest.approx(1031.0)]


def test_threads_share_the_rate_and_every_turn_is_given_once() -> None:
    """The clock stands still, so what a thread is told to sleep is its turn."""
    number, rounds, clock = 8, 5, Clock()
    turns: list[float] = []
    limiter = RateLimiter(10.0, clock, turns.append)
    barrier = threading.Barrier(number)

    def run(_thread: int) -> None:
        barrier.wait()
        for _ in range(rounds):
            limiter.acquire()

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(run, range(number)))
    assert sorted(turns) == pytest.approx([0.1 * turn for turn in range(1, number * rounds)])


def test_who_comes_first_goes_first() -> None:
    clock = Clock()
    turns: list[tuple[str, float]] = []
    limiter = RateLimiter(
        10.0, clock, lambda seconds: turns.append((threading.current_thread().name, seconds))
    )
    limiter.acquire()
    for name in ("first", "second", "third"):
        thread = threading.Thread(target=limiter.acquire, name=name)
        thread.start()
        thread.join()
    assert [(name, round(seconds, 3)) for name, seconds in turns] == [
        ("first", 0.1),
        ("second", 0.2),
        ("third", 0.3),
    ]
