"""Wrong orders and scopes of what is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from connector.engine import checkpoint as progress
from connector.engine import failpoints
from connector.engine.checkpoint import Recorder
from connector.model import Page, Result, RowState
from connector.state import lease
from connector.state.lease import Lease
from connector.state.tables import mark


def commit_before_send() -> None:
    """A page is recorded as delivered when its requests are about to leave."""
    advance = Recorder.advance

    def wrong(self: Recorder, done: Sequence[Result], starting: Sequence[Page]) -> None:
        results = [Result.of(page) for page in starting]
        for result in results:
            result.states[result.states == 0] = RowState.DELIVERED
        if results:
            advance(self, results, [])

    Recorder.advance = wrong  # type: ignore[method-assign]


def advance_on_error() -> None:
    """A page counts as done when its requests have ended, however they ended."""
    assert isinstance(Result.complete, property)
    Result.complete = property(lambda self: True)  # type: ignore[method-assign,assignment]


def split_commit() -> None:
    """What became of the rows is one transaction, counts and mark are the next."""

    def wrong(self: Recorder, done: Sequence[Result], starting: Sequence[Page]) -> None:
        failpoints.reach("before_commit")
        with self._store.write() as connection:
            progress.fence(connection, self._held)
            self._record(connection, done)
            self._forget_intents(connection, [result.page for result in done])
        if done:
            failpoints.reach("inside_commit")
        with self._store.write() as connection:
            progress.fence(connection, self._held)
            self._finish_pages(connection, [result.page for result in done])
            self._count(
                connection,
                done,
                self._move_mark(connection)
                if any(result.page.kind == "range" for result in done)
                else None,
            )
            self._announce(connection, [page for page in starting if page.batches])
        failpoints.reach("after_commit")

    Recorder.advance = wrong  # type: ignore[method-assign]


def no_fencing() -> None:
    """Whoever holds a lease writes, even if it slept while another took over."""
    move = Recorder._move_mark

    def unfenced(connection: Connection, held: Lease) -> None:
        """Nothing is asked."""

    def wrong(self: Recorder, connection: Connection) -> Any:
        now = connection.execute(
            sa.select(mark.c.token).where(mark.c.destination_id == self._destination_id)
        ).scalar_one()
        self._held = Lease(self._held.destination_id, now, self._held.owner)
        return move(self, connection)

    assert progress.fence is lease.fence
    progress.fence = unfenced
    Recorder._move_mark = wrong  # type: ignore[method-assign]
