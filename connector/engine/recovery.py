"""Settles what an interrupted run left behind: pages whose requests may have been taken.

They are read again by their keys, encoded into the same bytes for the same moment, and sent in the
same batches, so that a platform which has seen them recognises every one. What is settled is left
out: rows whose answer came, and rows that a person erased meanwhile. After the platform's
de-duplication window a row would count as new; and one that is gone from the warehouse, or may not
be sent any more, cannot be sent at all. Such rows wait for a person.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from connector.engine.checkpoint import Checkpointer
from connector.engine.context import RunContext
from connector.errors import ConnectorError
from connector.model import Page, PageResult, RowState
from connector.source.rows import Rows
from connector.state import intents
from connector.state.clock import moment_of
from connector.state.intents import NOT_SENT, Intent
from connector.state.keys import hash_keys
from connector.state.lease import Lease

Deliver = Callable[[Iterator[list[Page]]], ConnectorError | None]
"""Delivers pages; returns what ended it early, if anything did."""

_READ_ROWS = 10_000
"""Keys that are read at once to find rows again."""


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
        error = _settle(context, held, checkpointer, deliver, intent)
        if error is not None:
            return error
    return None


def _settle(
    context: RunContext,
    held: Lease,
    checkpointer: Checkpointer,
    deliver: Deliver,
    intent: Intent,
) -> ConnectorError | None:
    unsettled = _unsettled(context, intent)
    rows = _members(context, intent, unsettled)
    here = set() if rows is None else set(hash_keys(rows.joined_keys(), context.store.key()))
    lost = [each for each in unsettled if each not in here and unsettled[each] != NOT_SENT]
    if lost:
        checkpointer.record_lost(_unknown(_empty_page(intent, lost)))
    page = None if rows is None else _page_again(context, intent, rows, unsettled)
    if page is None:
        with context.store.write() as connection:
            intents.settle(connection, held, intent)
    elif context.clock() - page.as_of > context.destination.platform.dedupe_window:
        checkpointer.advance([_unknown(page)], [])
    else:
        return deliver(iter([[page]]))
    return None


def _unsettled(context: RunContext, intent: Intent) -> dict[bytes, int]:
    """Rows whose record is still what it was before the page was sent: key hash -> that state.

    Rows with another record are settled: an answer came, or a person decided, as by erasing them.
    """
    known = context.known(intent.members)
    found = {}
    for key_hash, before in zip(intent.members, intent.states, strict=True):
        now = known[key_hash].state if key_hash in known else 0
        if now == before or (before == NOT_SENT and now != RowState.ERASED):
            found[key_hash] = before
    return found


def _members(context: RunContext, intent: Intent, unsettled: dict[bytes, int]) -> Rows | None:
    """The page's rows as the warehouse has them now, in the order that they were sent in.

    Rows with an answer are read too, so that batches are cut as they were. Rows that were touched
    since lie ahead of the page. None where nothing is there.
    """
    if not unsettled:
        return None
    key = context.store.key()
    keys: dict[bytes, tuple[str, ...]] = {}
    wanted = set(intent.members)
    for rows in context.warehouse.ranges_of(intent.after, intent.upto):
        if not unsettled.keys() <= keys.keys():
            for read in context.warehouse.read_keys(rows, _READ_ROWS):
                hashes = hash_keys(read.joined_keys(), key)
                keys |= {
                    key_hash: read.mark(row).key or ()
                    for row, key_hash in enumerate(hashes)
                    if key_hash in wanted
                }
                if wanted <= keys.keys():
                    break
    if not keys:
        return None
    found = context.warehouse.read_by_key(list(keys.values()))
    places = {each: row for row, each in enumerate(hash_keys(found.joined_keys(), key))}
    return found.take([places[each] for each in intent.members if each in places])


def _page_again(
    context: RunContext, intent: Intent, rows: Rows, unsettled: dict[bytes, int]
) -> Page | None:
    """The page without what is settled; None where nothing is left of it."""
    pages = context.page_builder(intent.batch_size).of_rows(
        intent.slice, intent.page, rows, intent.kind, intent.after, moment_of(intent.as_of_us)
    )
    page = functools.reduce(Page.joined, pages)
    page.upto = intent.upto
    page.resent = "same bytes" if page.digest() == intent.digest else "rows changed since"
    page.prior = {
        row: RowState(unsettled[each])
        for row, each in enumerate(page.hashes)
        if 0 < unsettled.get(each, 0) < NOT_SENT
    }
    for row, each in enumerate(page.hashes):
        if row in page.own and unsettled.get(each, NOT_SENT) != NOT_SENT:
            page.own[row] = (RowState.AMBIGUOUS_EXPIRED, None)
    settled = {row for row, each in enumerate(page.hashes) if each not in unsettled}
    kept = [row for row in range(len(page)) if row not in settled]
    return page.unsent(settled).only(kept) if kept else None


def _empty_page(intent: Intent, hashes: list[bytes]) -> Page:
    """A page of rows of which nothing but the hashes of their keys is known."""
    return Page(
        slice=intent.slice,
        number=intent.page,
        kind=intent.kind,
        after=intent.after,
        upto=intent.upto,
        hashes=hashes,
        cursors=[intent.upto.cursor] * len(hashes),
        keys=None,
        own={},
        batches=[],
        as_of=moment_of(intent.as_of_us),
        batch_size=intent.batch_size,
    )


def _unknown(page: Page) -> PageResult:
    """Rows that were sent, and of which nobody will ever know whether they arrived."""
    result = PageResult.of(page)
    result.states[result.states == 0] = RowState.AMBIGUOUS_EXPIRED
    return result
