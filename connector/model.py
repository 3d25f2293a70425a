"""A page: rows that are committed together, the batches that carry them, and what became of each."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from connector.arrow.records import Records

SliceKind = Literal["range", "late", "missing", "replay"]

Resent = Literal["same bytes", "rows changed since"]
"""How the records of a page that is sent again compare with what may have been sent before."""


class Mark(NamedTuple):
    """A place in the order of rows. cursor: exact text. key: texts of the key columns; None stands before every key, () behind every one."""

    cursor: str
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Range:
    """Rows in (cursor, key) order: after `after`, up to and with `upto`, and before the cursor value `before`.

    An `after` without a key begins with its cursor value, an `upto` without a key ends with the last row of its value; so does one
    whose key has other columns than the source has now.
    """

    after: Mark | None = None
    upto: Mark | None = None
    before: str | None = None

    @classmethod
    def behind(cls, mark: Mark, start: Mark | None) -> Range:
        """What a high-water mark stands behind. A mark without a key stands before the rows of its own cursor value."""
        return cls(start, None, mark.cursor) if mark.key is None else cls(start, mark)


class Rejection(NamedTuple):
    """Why a row is not sent. reason: a short code; field: the canonical column to look at, if one is to blame."""

    reason: str
    field: str | None


class RowState(IntEnum):
    """What is recorded of a row."""

    DELIVERED = 1
    REJECTED = 2
    EXPIRED = 3
    SUPPRESSED = 4
    AMBIGUOUS_EXPIRED = 5
    ERASED = 6


@dataclass
class Batch:
    """Records of one request. rows: their positions in the page. group: index of the request fields they share."""

    records: Records
    rows: list[int]
    group: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, positions: list[int]) -> Batch:
        """The records at these positions of the batch."""
        return Batch(
            self.records.take(positions),
            [self.rows[position] for position in positions],
            self.group,
        )


@dataclass
class Page:
    """One unit of work.

    slice, number: its place. after, upto: the rows lie behind one mark, up to and with the other. hashes: of the keys, 16
    bytes each. keys: texts of each key column, each of shape (n,), or None where they may describe a person. cursors: exact
    text. own: row -> what our own rules decided. batches: the rest. again: rows that are quarantined from before. changed: rows between the marks that
    were delivered before and changed since. resent: set where an interrupted run may have sent the page already. closes:
    whether the slice ends with this page, which then is empty, and has an upto only where the slice has an end.
    """

    slice: int
    number: int
    kind: SliceKind
    after: Mark | None
    upto: Mark | None
    hashes: list[bytes]
    cursors: list[str]
    keys: tuple[pa.Array, ...] | None
    own: dict[int, tuple[RowState, Rejection | None]]
    batches: list[Batch]
    as_of: dt.datetime
    batch_size: int
    versions: list[bytes] | None = None
    again: frozenset[int] = frozenset()
    changed: int = 0
    groups: list[dict[str, str | None]] = field(default_factory=lambda: [{}])
    dropped: Counter[str] = field(default_factory=Counter)
    matched: Counter[str] = field(default_factory=Counter)
    resent: Resent | None = None
    closes: bool = False

    @classmethod
    def closing(
        cls, slice: int, number: int, after: Mark | None, upto: Mark | None, as_of: dt.datetime
    ) -> Page:
        """The empty page behind the last rows of a slice: once it is recorded, in its turn, the slice is complete. upto: the end of the slice, if it has one."""
        return cls(slice, number, "range", after, upto, [], [], None, {}, [], as_of, 0, closes=True)

    def __len__(self) -> int:
        return len(self.hashes)

    def key(self, row: int) -> tuple[str, ...] | None:
        """The texts of a row's key; None where they may describe a person."""
        return None if self.keys is None else tuple(part[row].as_py() for part in self.keys)

    def only(self, rows: list[int]) -> Page:
        """The page without all other rows; `rows` holds all rows of the batches that it keeps."""
        place = {row: index for index, row in enumerate(rows)}
        return replace(
            self,
            hashes=[self.hashes[row] for row in rows],
            cursors=[self.cursors[row] for row in rows],
            keys=None
            if self.keys is None
            else tuple(part.take(np.asarray(rows, np.int64)) for part in self.keys),
            versions=None if self.versions is None else [self.versions[row] for row in rows],
            own={place[row]: verdict for row, verdict in self.own.items() if row in place},
            batches=[
                replace(batch, rows=[place[row] for row in batch.rows])
                for batch in self.batches
                if set(batch.rows) <= place.keys()
            ],
            again=frozenset(place[row] for row in self.again if row in place),
        )

    def joined(self, more: Page) -> Page:
        """This page and the one that follows it as one; their batches stay as they are."""
        import pyarrow as pa  # late: what only needs an enum of this module stays without it

        offset = len(self)
        keys, versions = None, None
        if self.keys is not None and more.keys is not None:
            keys = tuple(map(pa.concat_arrays, zip(self.keys, more.keys, strict=True)))
        if self.versions is not None and more.versions is not None:
            versions = self.versions + more.versions
        return replace(
            self,
            upto=more.upto,
            hashes=self.hashes + more.hashes,
            cursors=self.cursors + more.cursors,
            keys=keys,
            versions=versions,
            own=self.own | {row + offset: verdict for row, verdict in more.own.items()},
            batches=self.batches
            + [replace(batch, rows=[row + offset for row in batch.rows]) for batch in more.batches],
            again=self.again | {row + offset for row in more.again},
        )

    def digest(self) -> bytes:
        """SHA-256 over the records in order: a resend must give the same."""
        digest = hashlib.sha256()
        for batch in self.batches:
            digest.update(batch.records.octets())
        return digest.digest()


@dataclass
class PageResult:
    """What became of a page.

    states: one `RowState` a row, 0 where it is still open, shape (n,). refusals: row -> why the platform refused it, with the
    message redacted. statuses: HTTP status or failure -> requests. ambiguous: requests whose records may or may not have
    been taken. open_ambiguous: whether such a request is still unsettled. receipts: under which the platform tells the final
    result later.
    """

    page: Page
    states: np.ndarray
    refusals: dict[int, Refused] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    ambiguous: int = 0
    open_ambiguous: bool = False
    receipts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> PageResult:
        """A page before anything was sent."""
        states = np.zeros(len(page), np.int8)
        for row, (state, _) in page.own.items():
            states[row] = state
        return cls(page, states)

    @property
    def complete(self) -> bool:
        """Every row has a state."""
        return bool((self.states != 0).all())


@dataclass(frozen=True)
class Refused:
    """A record that the platform refused. message: at most 200 characters, without anything that was sent."""

    code: str
    message: str
    field: str | None = None
