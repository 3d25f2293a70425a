"""Quarantined rows, tried again: read anew from the warehouse and judged by today's rules."""

from __future__ import annotations

from collections.abc import Iterator

from connector.engine.context import RunContext
from connector.engine.page_builder import BEYOND_LEDGER, PageBuilder
from connector.engine.plan import Slice
from connector.model import Mark, Page, Range
from connector.source.rows import Rows
from connector.state import quarantine
from connector.state.keys import hash_keys, hash_of
from connector.state.quarantine import Quarantined


def quarantined_pages(
    context: RunContext, page_builder: PageBuilder, replayed: Slice
) -> Iterator[list[Page]]:
    """Yield pages of the quarantined rows that a replay asks for.

    Rows that are gone from the warehouse become dead. A dead row is tried again only if the replay
    names its key. A row that may have been delivered before the horizon is tried again only if the
    replay names its key or its reason, or a person said yes.

    Args:
        context: The destination.
        page_builder: Makes pages of rows.
        replayed: The slice of the replay: a key, a reason, or neither for all rows.
    """
    key_hash = None if replayed.key is None else hash_of(replayed.key, context.store.key())
    with context.store.read() as connection:
        chosen = list(
            quarantine.listed(
                connection, context.destination_id, reason=replayed.reason, key_hash=key_hash
            )
        )
    states = {"rejected"}
    if replayed.key is not None:
        states |= {"dead", "expired"}
    if replayed.beyond_ledger or replayed.reason == BEYOND_LEDGER.reason:
        states.add("expired")
    wanted = [row for row in chosen if row.state in states]
    page_number = 0
    for start in range(0, len(wanted), page_builder.page_rows):
        part = wanted[start : start + page_builder.page_rows]
        rows = _read(context, part)
        _mark_gone_rows_dead(context, part, rows)
        if rows is not None and len(rows):
            pages = page_builder.of_rows(replayed.number, page_number, rows)
            page_number += len(pages)
            yield pages


def _read(context: RunContext, part: list[Quarantined]) -> Rows | None:
    keys = [row.key for row in part if row.key is not None] + _personal_keys(
        context, [row for row in part if row.key is None]
    )
    return context.warehouse.read_by_key(keys) if keys else None


def _personal_keys(context: RunContext, part: list[Quarantined]) -> list[tuple[str, ...]]:
    """Keys that are not stored: found by their hash among rows with the same cursor value."""
    wanted, key = {row.key_hash for row in part}, context.store.key()
    found: list[tuple[str, ...]] = []
    for cursor in sorted({row.cursor for row in part if row.cursor is not None}):
        for read in context.warehouse.read_keys(Range(Mark(cursor), Mark(cursor)), 10_000):
            hashes = hash_keys(read.joined_keys(), key)
            found += [
                read.mark(row).key or ()
                for row, key_hash in enumerate(hashes)
                if key_hash in wanted
            ]
    return found


def _mark_gone_rows_dead(context: RunContext, part: list[Quarantined], rows: Rows | None) -> None:
    """Mark rows that the warehouse no longer has as dead: there is nothing left to send."""
    there = (
        set(hash_keys(rows.joined_keys(), context.store.key()))
        if rows is not None and len(rows)
        else set()
    )
    gone = [row.key_hash for row in part if row.key_hash not in there]
    if gone:
        with context.store.write() as connection:
            quarantine.mark_dead(connection, context.destination_id, gone, "row_gone")
