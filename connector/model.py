"""What passes between stages: places and ranges of rows, pages, batches, results. Plain data."""

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

SliceKind = Literal["range", "late", "missing", "replay", "given"]

Resent = Literal["same bytes", "rows changed since"]
"""How the records of a page that is sent again compare with what may have been sent before."""


class Mark(NamedTuple):
    """A place in the order of rows.

    Attributes:
        cursor: Exact text.
        key: Texts of the key columns; None stands before every key, () behind every one.
    """

    cursor: str
    key: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Range:
    """Rows in (cursor, key) order.

    Attributes:
        after: They lie behind this place. Without a key it begins with its cursor value.
        upto: They end with this place. Without a key, or with a key of other columns than the
            source has now, it ends with the last row of its cursor value.
        before: Their cursor values are less than this text.
    """

    after: Mark | None = None
    upto: Mark | None = None
    before: str | None = None

    @classmethod
    def behind(cls, mark: Mark, start: Mark | None) -> Range:
        """The rows from `start` on that a watermark has passed.

        A watermark without a key stands before the rows of its own cursor value.
        """
        return cls(start, None, mark.cursor) if mark.key is None else cls(start, mark)


class Rejection(NamedTuple):
    """Why a row is not sent.

    Attributes:
        reason: A short code.
        field: The canonical column to look at, if one is to blame.
    """

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
    """Records of one request.

    Attributes:
        records: JSON records.
        rows: Their positions in the page.
        group: Index of the request fields that they share.
    """

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
    """Rows that are read, sent and committed together.

    Attributes:
        slice: Number of the slice.
        number: Its place in the slice.
        kind: What its rows are.
        after: The rows lie behind this place.
        upto: They end with this place.
        hashes: Of the keys, 16 bytes each, shape (n,).
        cursors: Exact text, shape (n,).
        keys: Texts of each key column, each of shape (n,); None where they may describe a person.
        own: Row -> what our own rules decided.
        batches: The other rows, as records.
        as_of: The moment that the records are made for.
        batch_size: Records a request at most.
        versions: Of the rows' values, where changes are sent, shape (n,).
        prior: Row -> what was recorded of it before, where anything was.
        changed: Rows of the range that were delivered before and changed since.
        groups: Request fields that records of a batch share.
        dropped: Column and reason -> rows whose value was left out.
        matched: Identifier -> records that have it.
        resent: Set where an interrupted run may have sent the page already.
        events: event_name, event_id and event_time of each row, where there is an audit.
        closes: The slice ends with this page, which is empty; it has an `upto` only where the
            slice has an end.
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
    prior: dict[int, RowState] = field(default_factory=dict)
    changed: int = 0
    groups: list[dict[str, str | None]] = field(default_factory=lambda: [{}])
    dropped: Counter[str] = field(default_factory=Counter)
    matched: Counter[str] = field(default_factory=Counter)
    resent: Resent | None = None
    events: pa.Table | None = None
    closes: bool = False

    @classmethod
    def closing(
        cls, slice: int, number: int, after: Mark | None, upto: Mark | None, as_of: dt.datetime
    ) -> Page:
        """The empty page behind the last rows of a slice; recorded in its turn, it completes it."""
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
            prior={place[row]: state for row, state in self.prior.items() if row in place},
            events=None if self.events is None else self.events.take(np.asarray(rows, np.int64)),
        )

    def unsent(self, rows: set[int]) -> Page:
        """The page without the records of these rows; the rows themselves stay."""
        batches = [
            batch.part([index for index, row in enumerate(batch.rows) if row not in rows])
            for batch in self.batches
        ]
        return replace(self, batches=[batch for batch in batches if len(batch)])

    def joined(self, more: Page) -> Page:
        """This page and the one that follows it as one; their batches stay as they are."""
        import pyarrow as pa  # late, for start-up: most who import this module need no Arrow

        offset = len(self)
        keys, versions, events = None, None, None
        if self.keys is not None and more.keys is not None:
            keys = tuple(map(pa.concat_arrays, zip(self.keys, more.keys, strict=True)))
        if self.versions is not None and more.versions is not None:
            versions = self.versions + more.versions
        if self.events is not None and more.events is not None:
            events = pa.concat_tables([self.events, more.events])
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
            prior=self.prior | {row + offset: state for row, state in more.prior.items()},
            events=events,
        )

    def digest(self) -> bytes:
        """SHA-256 over the records in order: a resend must give the same."""
        digest = hashlib.sha256()
        for batch in self.batches:
            digest.update(batch.records.buffer())
        return digest.digest()


@dataclass
class PageResult:
    """What became of a page.

    Attributes:
        page: The page.
        states: One `RowState` a row, 0 where it is still open, shape (n,).
        refusals: Row -> why the platform refused it.
        statuses: HTTP status or kind of failure -> requests.
        requests: HTTP requests.
        retries: How many of them were retries.
        ambiguous: Requests whose records may or may not have been taken.
        open_ambiguous: Whether such a request is still unsettled.
        receipts: Under which the platform tells the final result later.
        answers: HTTP status and number of the request that settled each row, shape (n, 2), 0 where
            none did; None where there is no audit.
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
    answers: np.ndarray | None = None

    @classmethod
    def of(cls, page: Page) -> PageResult:
        """A page before anything was sent."""
        states = np.zeros(len(page), np.int8)
        for row, (state, _) in page.own.items():
            states[row] = state
        answers = None if page.events is None else np.zeros((len(page), 2), np.int32)
        return cls(page, states, answers=answers)

    @property
    def complete(self) -> bool:
        """Every row has a state."""
        return bool((self.states != 0).all())


@dataclass(frozen=True)
class Refused:
    """A record that the platform refused.

    Attributes:
        code: The platform's, as far as it is kept.
        message: At most 200 characters, without anything that was sent; None where none is kept.
        field: What the platform blames.
        kind: The same for the same code of the platform, also where the code is not kept; in this
            process alone.
    """

    code: str
    message: str | None
    field: str | None = None
    kind: int = 0
