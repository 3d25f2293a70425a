"""Wrong orders and scopes of what is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.engine import checkpoint as progress
from connector.engine import failpoints
from connector.engine.checkpoint import Checkpointer
from connector.model import Page, PageResult, RowState
from connector.state import intents, lease, watermark
from connector.state.lease import Lease
from connector.state.tables import mark


def commit_before_send() -> None:
    """A page is recorded as delivered when its requests are about to leave."""
    advance = Checkpointer.advance

    def wrong(self: Checkpointer, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        results = [PageResult.of(page) for page in starting]
        for result in results:
            result.states[result.states == 0] = RowState.DELIVERED
        if results:
            advance(self, results, [])

    Checkpointer.advance = wrong  # type: ignore[method-assign]


def advance_on_error() -> None:
    """A page counts as done when its requests have ended, however they ended."""
    assert isinstance(PageResult.complete, property)
    PageResult.complete = property(lambda self: True)  # type: ignore[method-assign,assignment]


def split_commit() -> None:
    """What became of the rows is one transaction, counts and mark are the next."""

    def wrong(self: Checkpointer, done: Sequence[PageResult], starting: Sequence[Page]) -> None:
        failpoints.reach("before_commit")
        with self._store.write() as connection:
            progress.fence(connection, self._held)
            self._record(connection, done)
            pages = [(result.page.slice, result.page.number) for result in done]
            intents.forget(connection, self._destination_id, pages)
        if done:
            failpoints.reach("inside_commit")
        with self._store.write() as connection:
            progress.fence(connection, self._held)
            self._finish_pages(connection, [result.page for result in done])
            self._count(
                connection,
                done,
                watermark.advance(connection, self._held)
                if any(result.page.kind == "range" for result in done)
                else None,
            )
            announced = [progress._intent(page) for page in starting if page.batches]
            pages = [(found.slice, found.page) for found in announced]
            intents.forget(connection, self._destination_id, pages)
            intents.announce(connection, self._held, announced)
        failpoints.reach("after_commit")

    Checkpointer.advance = wrong  # type: ignore[method-assign]


def no_fencing() -> None:
    """Whoever holds a lease writes, even if it slept while another took over."""
    move = watermark.advance

    def unfenced(connection: Connection, held: Lease) -> None:
        """Nothing is asked."""

    def wrong(connection: Connection, held: Lease) -> Any:
        now = connection.execute(
            sa.select(mark.c.token).where(mark.c.destination_id == held.destination_id)
        ).scalar_one()
        return move(connection, Lease(held.destination_id, now, held.owner))

    assert progress.fence is lease.fence
    progress.fence = unfenced
    watermark.advance = wrong
