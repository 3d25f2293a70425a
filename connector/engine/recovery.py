"""Settles what an interrupted run left behind: pages whose requests may have been taken.

They are read again by their keys, encoded into the same bytes for the same moment, and sent in the
same batches, so that a platform which has seen them recognises every one. After the platform's
de-duplication window that is no longer so: then the rows wait for a person.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Sequence

from connector.engine.checkpoint import Checkpointer
from connector.engine.context import RunContext
from connector.errors import ConnectorError
from connector.model import Page, PageResult, Range, RowState
from connector.source.rows import Rows
from connector.state import intents
from connector.state.clock import moment_of
from connector.state.intents import Intent
from connector.state.keys import hash_keys
from connector.state.lease import Lease

Deliver = Callable[[Iterator[list[Page]]], ConnectorError | None]
"""Delivers pages; returns what ended it early, if anything did."""


def recover(
    context: RunContext,
    held: Lease,
    checkpointer: Checkpointer,
    deliver: Deliver,
    numbers: Sequence[int] | None = None,
) -> ConnectorError | None:
    """Settle every intent that an interrupted run left, in order.

    Args:
        context: The destination.
        held: The lease that permits it.
        checkpointer: Records what becomes of the rows.
        deliver: Sends pages.
        numbers: Only those of these slices, whose step may be run again.

    Returns:
        What ended it early, if anything did.
    """
    with context.store.read() as connection:
        found = intents.listed(connection, context.destination_id, numbers)
    for intent in found:
        page = _page_again(context, intent)
        if page is None:
            with context.store.write() as connection:
                intents.settle(connection, held, intent)
        elif context.clock() - page.as_of > context.destination.platform.dedupe_window:
            checkpointer.advance([_expired(page)], [])
        else:
            error = deliver(iter([[page]]))
            if error is not None:
                return error
    return None


def _page_again(context: RunContext, intent: Intent) -> Page | None:
    """The page without the batches that were settled; None where no row is left to settle."""
    as_of = moment_of(intent.as_of_us)
    rows = _members(context, intent)
    if rows is None:
        return None
    page = _one_page(context, intent, rows, as_of)
    known = context.known(page.hashes)
    batches = [
        batch for batch in page.batches if any(page.hashes[row] not in known for row in batch.rows)
    ]
    sent = {row for batch in batches for row in batch.rows}
    unsettled = [
        row for row, key_hash in enumerate(page.hashes) if row in sent or key_hash not in known
    ]
    return page.only(unsettled) if unsettled else None


def _one_page(context: RunContext, intent: Intent, rows: Rows, as_of: dt.datetime) -> Page:
    pages = context.page_builder(intent.batch_size).of_rows(
        intent.slice, intent.page, rows, intent.kind, intent.after, as_of
    )
    page = functools.reduce(Page.joined, pages)
    page.upto = intent.upto
    page.resent = "same bytes" if page.digest() == intent.digest else "rows changed since"
    return page


def _members(context: RunContext, intent: Intent) -> Rows | None:
    """The page's rows as the warehouse has them now, in the same order, without deleted ones."""
    key = context.store.key()
    wanted = set(intent.members)
    keys: list[tuple[str, ...]] = []
    for read in context.warehouse.read_keys(Range(intent.after, intent.upto), 10_000):
        hashes = hash_keys(read.joined_keys(), key)
        keys += [
            read.mark(row).key or () for row, key_hash in enumerate(hashes) if key_hash in wanted
        ]
    return context.warehouse.read_by_key(keys) if keys else None


def _expired(page: Page) -> PageResult:
    result = PageResult.of(page)
    for batch in page.batches:
        for row in batch.rows:
            result.states[row] = RowState.AMBIGUOUS_EXPIRED
    return result
