"""Pages go out, results come back, and each step of it is recorded in one transaction.

Commits are grouped: the next one comes once COMMIT_ROWS are settled or after COMMIT_SECONDS,
whichever is first, and earlier only where connections would wait for pages that it has to announce.
So what a kill may send twice is what was settled since the last commit, and what is in flight.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from connector.engine.checkpoint import Checkpointer, NullCheckpointer
from connector.engine.memory import system_allocator
from connector.errors import ConnectorError, Fenced, StateError
from connector.model import Page, PageResult, RowState
from connector.source.prefetch import Prefetch, read_ahead

if TYPE_CHECKING:
    from connector.delivery.in_flight import PageInFlight
    from connector.delivery.sender import Sender

COMMIT_ROWS = 10_000
"""So many rows, beside those in flight, may be announced and not be recorded yet."""

COMMIT_SECONDS = 0.25
"""So long after the first of them rows are recorded, however few they are."""

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
    with system_allocator(), read_ahead(pages) as reads:
        waiting = deque(next(reads, ()))
        if not waiting:
            return None
        sender = open_sender()
        pipeline = _Pipeline(sender, reads, waiting)
        done = pipeline.done
        try:
            while sender.error is None:
                starting = pipeline.next_pages()
                if done or starting:
                    checkpointer.advance(done, starting)
                    _tell(progress, done)
                    done.clear()
                elif not pipeline.in_flight:
                    return None
                pipeline.in_flight.extend(sender.submit(page) for page in starting)
                pipeline.gather()
        except (Fenced, StateError):
            sender.end()
            raise
        except BaseException:
            sender.end()
            _record_unfinished(checkpointer, done, pipeline.in_flight, sender)
            raise
        _record_unfinished(checkpointer, done, pipeline.in_flight, sender)
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


class _Pipeline:
    """Pages on their way from the reader to the next commit.

    in_flight: pages that were announced, in order. done: those before them, which are finished and
    not recorded yet.
    """

    def __init__(self, sender: Sender, reads: Prefetch[list[Page]], waiting: deque[Page]) -> None:
        self._sender, self._reads, self._waiting = sender, reads, waiting
        self._ahead, self._announced, self._is_read = sender.ready, 0, False
        self._progress = threading.Condition()
        self.in_flight: deque[PageInFlight] = deque()
        self.done: list[PageResult] = []
        sender.on_progress = reads.on_ready = self._wake

    def next_pages(self) -> list[Page]:
        """Pages to start, until there are enough requests.

        Pages that were read do not wait for more, and finished ones not for the reader. A page that
        closes a slice does not wait for the rows of the next, nor they for it.
        """
        starting: list[Page] = []
        is_idle = not (self.done or self.in_flight)
        while self._has_room(len(starting)):
            if not self._waiting and all(page.closes for page in starting):
                if not (is_idle or self._reads.ready()):
                    break
                self._read()
            if not self._waiting:
                break
            starting.append(self._waiting.popleft())
            self._announced += _requests_of(starting[-1])
        return starting

    def gather(self) -> None:
        """Wait until there is a reason to commit; moves pages that are finished to `done`."""
        due = None
        while self.in_flight:
            with self._progress:
                self._progress.wait_for(
                    lambda: self.in_flight[0].done() or self._is_short(),
                    None if due is None else max(0.0, due - time.monotonic()),
                )
            if self.in_flight[0].done():
                result = self._sender.finish(self.in_flight[0])
                if not result.complete:
                    return
                self.done.append(result)
                self.in_flight.popleft()
                self._announced -= _requests_of(result.page)
                due = due or time.monotonic() + COMMIT_SECONDS
            if self._is_short():
                self._ahead = min(2 * self._ahead, self._most_ahead())
                return
            if due is not None and time.monotonic() >= due:
                return

    def _read(self) -> None:
        read = next(self._reads, None)
        self._is_read = read is None
        self._waiting.extend(read or ())

    def _has_room(self, starting: int = 0) -> bool:
        """Whether more requests may be announced, or there are too few pages."""
        pages = len(self.in_flight) + starting
        return pages < _LEAST_PAGES or self._announced < self._sender.concurrency + self._ahead

    def _is_short(self) -> bool:
        """Whether connections would soon wait, though there is something for them."""
        has_more = bool(self._waiting) or (not self._is_read and self._reads.ready())
        return has_more and self._sender.is_short and self._has_room()

    def _most_ahead(self) -> int:
        """Requests with as many rows as one commit records, of pages like the latest."""
        pages = [result.page for result in self.done]
        pages += [flying.result.page for flying in self.in_flight]
        rows = sum(len(page) for page in pages)
        return max(self._ahead, COMMIT_ROWS * sum(map(_requests_of, pages)) // max(rows, 1))

    def _wake(self) -> None:
        with self._progress:
            self._progress.notify_all()


def _requests_of(page: Page) -> int:
    """Requests of a page; one with nothing to send counts as one."""
    return max(1, len(page.batches))


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
