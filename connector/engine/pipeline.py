"""The moving part of a run: pages go out, results come back, and every step of it is recorded in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from connector.engine.checkpoint import Checkpointer, Unrecorded
from connector.engine.memory import system_allocator
from connector.errors import ConnectorError, Fenced, StateError
from connector.model import Page, PageResult, RowState
from connector.source.prefetch import read_ahead

if TYPE_CHECKING:
    from connector.delivery.in_flight import PageInFlight
    from connector.delivery.sender import Sender

READY = 2
"""Requests that wait beside those under way, so that connections never wait for a commit."""

_LEAST_PAGES = 2


class Watch(Protocol):
    """Told how a run gets on, for people who look on."""

    def expect(self, rows: int) -> None:
        """So many rows wait."""

    def settle(self, rows: int, rejected: int) -> None:
        """So many rows were recorded, and so many of those as rejected."""


def carry(
    pages: Iterator[list[Page]],
    open_courier: Callable[[], Sender],
    checkpointer: Checkpointer | Unrecorded,
    watch: Watch | None = None,
) -> ConnectorError | None:
    """Send pages and record them in order; while some are in flight, the next ones are read and encoded.

    open_courier: called once there is a first page, before anything of it is recorded. Returns what ended it early: then every
    row that is settled is recorded, and the mark stands before the first that is not. Raises Fenced or StateError, after which nothing more is sent.
    """
    in_flight: deque[PageInFlight] = deque()
    done: list[PageResult] = []
    with system_allocator(), read_ahead(pages) as reads:
        waiting = deque(next(reads, ()))
        if not waiting:
            return None
        sender = open_courier()
        try:
            while sender.error is None:
                starting = _next_pages(waiting, reads, in_flight, sender.concurrency + READY)
                if done or starting:
                    checkpointer.advance(done, starting)
                    _tell(watch, done)
                done = []
                in_flight.extend(sender.submit(page) for page in starting)
                if not in_flight:
                    return None
                done = _finished(in_flight, sender)
        except (Fenced, StateError):
            sender.end()
            raise
        except BaseException:
            sender.end()
            _set_aside(checkpointer, done, in_flight, sender)
            raise
        _set_aside(checkpointer, done, in_flight, sender)
        _tell(watch, done)
    return sender.error


def rehearse(
    pages: Iterator[list[Page]], checkpointer: Unrecorded, watch: Watch | None = None
) -> None:
    """Count pages as if they had been sent: our own verdicts stand, the rest would be delivered."""
    with system_allocator(), read_ahead(pages) as reads:
        for read in reads:
            results = [PageResult.of(page) for page in read]
            checkpointer.advance(results, [])
            checkpointer.count_unsent(results)
            _tell(watch, results)


def _next_pages(
    waiting: deque[Page], reads: Iterator[list[Page]], in_flight: deque[PageInFlight], enough: int
) -> list[Page]:
    """Pages to begin with, until there are enough requests; those that were read leave before more are waited for.

    A page in which there is nothing to send counts as one request. One that closes a slice does not wait for the rows of the next, nor they for it.
    """
    starting: list[Page] = []
    requests = sum(max(1, len(delivery.result.page.batches)) for delivery in in_flight)
    while requests < enough or len(in_flight) + len(starting) < _LEAST_PAGES:
        if not waiting and all(page.closes for page in starting):
            waiting.extend(next(reads, ()))
        if not waiting:
            break
        starting.append(waiting.popleft())
        requests += max(1, len(starting[-1].batches))
    return starting


def _finished(in_flight: deque[PageInFlight], sender: Sender) -> list[PageResult]:
    """The first page under way, waited for, and those behind it that happen to be finished; without gaps."""
    done: list[PageResult] = []
    while in_flight and (not done or in_flight[0].done()):
        result = sender.finish(in_flight[0])
        if not result.complete:
            break
        done.append(result)
        in_flight.popleft()
    return done


def _set_aside(
    checkpointer: Checkpointer | Unrecorded,
    done: list[PageResult],
    in_flight: deque[PageInFlight],
    sender: Sender,
) -> None:
    """Record what finished in order, then whatever else is settled."""
    open_results = [sender.finish(delivery) for delivery in in_flight]
    while open_results and open_results[0].complete:
        done.append(open_results.pop(0))
    if done:
        checkpointer.advance(done, [])
    if open_results:
        checkpointer.set_aside(open_results)


def _tell(watch: Watch | None, done: list[PageResult]) -> None:
    if watch is not None:
        for result in done:
            watch.settle(len(result.page), int((result.states == RowState.REJECTED).sum()))
