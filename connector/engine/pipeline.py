"""Pages go out, results come back, and each step of it is recorded in one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from connector.engine.checkpoint import Checkpointer, NullCheckpointer
from connector.engine.memory import system_allocator
from connector.errors import ConnectorError, Fenced, StateError
from connector.model import Page, PageResult, RowState
from connector.source.prefetch import read_ahead

if TYPE_CHECKING:
    from connector.delivery.in_flight import PageInFlight
    from connector.delivery.sender import Sender

READY = 2
"""Requests that wait beside those in flight, so that connections never wait for a commit."""

_LEAST_PAGES = 2


class Progress(Protocol):
    """Progress callback for interactive use."""

    def expect(self, rows: int) -> None:
        """So many rows wait."""

    def settle(self, rows: int, rejected: int) -> None:
        """So many rows were recorded, and so many of those as rejected."""


def deliver_pages(
    pages: Iterator[list[Page]],
    open_sender: Callable[[], Sender],
    checkpointer: Checkpointer | NullCheckpointer,
    progress: Progress | None = None,
) -> ConnectorError | None:
    """Send pages and record them in order; meanwhile the next ones are read and encoded.

    Args:
        pages: Lists of pages that were read together.
        open_sender: Called once there is a first page, before anything of it is recorded.
        checkpointer: Records results.
        progress: Notified of rows that are settled.

    Returns:
        What ended it early. Then every row that is settled is recorded, and the watermark stands
        before the first that is not.

    Raises:
        Fenced, StateError: Nothing more could be recorded, so nothing more is sent.
    """
    in_flight: deque[PageInFlight] = deque()
    done: list[PageResult] = []
    with system_allocator(), read_ahead(pages) as reads:
        waiting = deque(next(reads, ()))
        if not waiting:
            return None
        sender = open_sender()
        try:
            while sender.error is None:
                starting = _next_pages(waiting, reads, in_flight, sender.concurrency + READY)
                if done or starting:
                    checkpointer.advance(done, starting)
                    _tell(progress, done)
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
            _record_unfinished(checkpointer, done, in_flight, sender)
            raise
        _record_unfinished(checkpointer, done, in_flight, sender)
        _tell(progress, done)
    return sender.error


def count_pages(
    pages: Iterator[list[Page]], checkpointer: NullCheckpointer, progress: Progress | None = None
) -> None:
    """Count the pages of a dry run, without sending.

    Rows that our own rules reject, expire or suppress are counted as that, all others as unsent.

    Args:
        pages: What a run would send.
        checkpointer: Gets the counts.
        progress: Notified of rows that are counted.
    """
    with system_allocator(), read_ahead(pages) as reads:
        for read in reads:
            results = [PageResult.of(page) for page in read]
            checkpointer.advance(results, [])
            checkpointer.count_unsent(results)
            _tell(progress, results)


def _next_pages(
    waiting: deque[Page], reads: Iterator[list[Page]], in_flight: deque[PageInFlight], enough: int
) -> list[Page]:
    """Pages to start, until there are enough requests; pages that were read do not wait for more.

    A page with nothing to send counts as one request. One that closes a slice does not wait for
    the rows of the next, nor they for it.
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
    """Wait for the first page in flight; returns it and those behind it that are finished."""
    done: list[PageResult] = []
    while in_flight and (not done or in_flight[0].done()):
        result = sender.finish(in_flight[0])
        if not result.complete:
            break
        done.append(result)
        in_flight.popleft()
    return done


def _record_unfinished(
    checkpointer: Checkpointer | NullCheckpointer,
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
        checkpointer.record_unfinished(open_results)


def _tell(progress: Progress | None, done: list[PageResult]) -> None:
    if progress is not None:
        for result in done:
            progress.settle(len(result.page), int((result.states == RowState.REJECTED).sum()))
