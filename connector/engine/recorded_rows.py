"""Rows of the warehouse beside what the ledger says of them: for people, nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connector.engine.context import RunContext
from connector.model import Range
from connector.source.reader import SourceReader
from connector.source.rows import Rows
from connector.state.keys import hash_keys
from connector.state.ledger import Entry

_ROWS = 10_000


class RecordedRows(NamedTuple):
    """Rows that were read together.

    Attributes:
        rows: As the warehouse has them, shape (n,).
        hashes: Of their keys, shape (n,).
        entries: Key hash -> what is recorded; a row that is not in it has no record.
    """

    rows: Rows
    hashes: list[bytes]
    entries: dict[bytes, Entry]


def read_recorded(
    context: RunContext, rows: Range, columns: SourceReader | None = None
) -> Iterator[RecordedRows]:
    """Rows of a range in (cursor, key) order, each with its entry in the ledger.

    Args:
        context: The destination.
        rows: The range.
        columns: Reads the columns that are wanted; default: cursor and key alone are read.
    """
    installation_key = context.store.key()
    read = (
        context.warehouse.read_keys(rows, _ROWS) if columns is None else columns.read(rows, _ROWS)
    )
    for page in read:
        hashes = hash_keys(page.joined_keys(), installation_key)
        yield RecordedRows(page, hashes, context.known(hashes) if context.destination_id else {})
