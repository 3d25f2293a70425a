"""Rows from the warehouse become pages: deduplicated, encoded and cut into batches."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from connector.arrow.masks import Mask
from connector.config.destination import Destination
from connector.config.personal_keys import are_personal
from connector.delivery.batch import BatchLimits, cut
from connector.engine.dedupe import Chosen, Deduplicator
from connector.engine.horizon import unproven
from connector.model import Batch, Mark, Page, Range, Rejection, RowState, SliceKind
from connector.source.given import GivenRows
from connector.source.reader import SourceReader
from connector.source.rows import Rows

if TYPE_CHECKING:
    from connector.mapping.serializer import Serialized, Serializer

BEYOND_LEDGER = Rejection("beyond_ledger", None)
"""Why a row is expired that may have been delivered before the horizon."""

SINGLE_PAGE = 400
"""Rows of a page where every record is a request of its own: what a kill may send twice."""

ROWS_TOGETHER = 10_000
"""Rows that are read and encoded together, in whole pages: more is hardly faster."""


class Missing(NamedTuple):
    """Rows of a range.

    Attributes:
        rows: All of them.
        missing: Those that were never delivered, and have no record.
        beyond_ledger: Those that have no record, and may have been delivered before the horizon.
    """

    rows: int
    missing: int
    beyond_ledger: int


@dataclass(frozen=True)
class PageBuilder:
    """Makes pages for slices that follow each other.

    Attributes:
        destination: Where the rows go.
        serializer: Gives the serializer, once there is something to encode.
        warehouse: Where they come from.
        deduplicator: Chooses rows.
        batch_size: Records a request at most.
        clock: Gives the moment, in UTC.
        horizon: From when on the ledger is complete; None where rows from before may be sent.
    """

    destination: Destination
    serializer: Callable[[], Serializer]
    warehouse: SourceReader
    deduplicator: Deduplicator
    batch_size: int
    clock: Callable[[], dt.datetime]
    horizon: dt.datetime | None = None

    @property
    def page_rows(self) -> int:
        """Rows of a page."""
        return self.batch_size if self.batch_size > 1 else SINGLE_PAGE

    @property
    def rows_together(self) -> int:
        """Rows of the pages that are read and encoded together."""
        return self.page_rows * max(ROWS_TOGETHER // self.page_rows, 1)

    def of_range(self, number: int, rows: Range, most: int | None = None) -> Iterator[list[Page]]:
        """Pages of everything in a range that was not delivered before.

        They move the watermark, and the last one closes the slice.

        Args:
            number: Of the slice.
            rows: The range.
            most: Rows at most.
        """
        self.deduplicator.asked.clear()
        after, page_number, left, more = rows.after, 0, most, True
        while more and (left is None or left > 0):
            more = False
            size = self.rows_together
            for read in self.warehouse.read(rows, size if left is None else min(size, left)):
                pages = self._cut(
                    self.deduplicator.choose(read, "range"),
                    number,
                    page_number,
                    after,
                    self.clock(),
                )
                page_number += len(pages)
                after = pages[-1].upto
                yield pages
                if left is not None:
                    left -= sum(len(page) for page in pages)
                    rows, more = Range(read.mark(len(read) - 1), rows.upto, rows.before), True
                    break
        yield [
            Page.closing(
                number, page_number, after, rows.upto if most is None else None, self.clock()
            )
        ]

    def missing(self, number: int, kind: SliceKind, rows: Range) -> Iterator[list[Page]]:
        """Yield pages of the rows in a range that have no record.

        Keys alone are read first, and whole rows only where the ledger knows nothing of them.

        Args:
            number: Of the slice.
            kind: Of the slice.
            rows: Where to look.
        """
        page_number = 0
        for read in self._unrecorded(rows):
            pages = self._cut(
                self.deduplicator.choose(read, kind), number, page_number, None, self.clock()
            )
            page_number += len(pages)
            yield pages

    def of_given(self, number: int, rows: GivenRows) -> Iterator[list[Page]]:
        """Yield pages of given rows that have no record, or were refused and have changed since.

        Args:
            number: Of the slice.
            rows: What a program gave.
        """
        page_number = 0
        for read in rows.pages(self.rows_together):
            chosen = self.deduplicator.choose(read, "given")
            pages = self._cut(chosen, number, page_number, None, self.clock())
            page_number += len(pages)
            yield pages

    def count_missing(self, rows: Range) -> Missing:
        """Count rows in a range that have no record."""
        seen = missing = beyond = 0
        for read in self.warehouse.read_keys(rows, self.rows_together):
            absent = self.deduplicator.absent(read)
            forgotten = self._count_unproven(read, absent)
            seen += len(read)
            missing += len(absent) - forgotten
            beyond += forgotten
        return Missing(seen, missing, beyond)

    def _count_unproven(self, read: Rows, absent: list[int]) -> int:
        """How many of the rows that have no record may have been delivered before."""
        if self.horizon is None or not absent:
            return 0
        found = 0
        for start in range(0, len(absent), self.page_rows):
            rows = [read.mark(row).key or () for row in absent[start : start + self.page_rows]]
            chosen = self.deduplicator.choose(self.warehouse.read_by_key(rows), "missing")
            found += len(self._encode(chosen, self.clock()).left_out)
        return found

    def none_recorded(self, rows: Range) -> bool:
        """Whether there are rows in a range, and not one of them has a record."""
        found = self.count_missing(rows)
        return 0 < found.rows == found.missing

    def any_missing(self, rows: Range) -> bool:
        """Whether a row in a range has no record; reads only as far as the first."""
        return any(
            self.deduplicator.absent(read)
            for read in self.warehouse.read_keys(rows, self.rows_together)
        )

    def of_rows(
        self,
        number: int,
        page_number: int,
        read: Rows,
        kind: SliceKind = "replay",
        after: Mark | None = None,
        as_of: dt.datetime | None = None,
    ) -> list[Page]:
        """Pages that try these rows again, whatever was recorded of them.

        Args:
            number: Of the slice.
            page_number: Of the first page.
            read: The rows.
            kind: Of the slice.
            after: The place behind which they lie, if it is known.
            as_of: The moment that the records are made for; default: now.
        """
        return self._cut(
            self.deduplicator.choose(read, kind, again=True),
            number,
            page_number,
            after,
            as_of or self.clock(),
        )

    def _cut(
        self,
        chosen: Chosen,
        slice_number: int,
        first_page: int,
        after: Mark | None,
        as_of: dt.datetime,
    ) -> list[Page]:
        """One or more pages over rows that were read together.

        The last page ends where the rows end, so that the watermark passes dropped rows too.
        """
        read, keep, hashes, cursors, versions = (
            chosen.read,
            chosen.keep,
            chosen.hashes,
            chosen.cursors,
            chosen.versions,
        )
        kept = self._encode(chosen, as_of)
        personal = are_personal(self.destination, read.keys)
        is_audited = self.destination.model.audit is not None
        keys = (
            read.keys if chosen.whole else tuple(part.take(chosen.positions) for part in read.keys)
        )
        pages: list[Page] = []
        for start in range(0, max(len(keep), 1), self.page_rows):
            stop = start + self.page_rows
            last = keep[stop - 1] if stop < len(keep) else len(read) - 1
            upto = read.mark(last)
            if chosen.kind != "range" and keep:
                after = Mark(cursors[start])
            page = Page(
                slice=slice_number,
                number=first_page + len(pages),
                kind=chosen.kind,
                after=after,
                upto=Mark(upto.cursor) if personal else upto,
                hashes=hashes[start:stop],
                cursors=cursors[start:stop],
                keys=None if personal else tuple(part[start:stop] for part in keys),
                own={},
                batches=[],
                as_of=as_of,
                batch_size=self.batch_size,
                versions=None if versions is None else versions[start:stop],
                prior={
                    row - start: state for row, state in chosen.prior.items() if start <= row < stop
                },
                changed=chosen.changed if not pages else 0,
                events=kept.events.slice(start, stop - start) if is_audited else None,
            )
            self._fill(page, kept, start)
            if not pages:
                page.dropped = Counter(
                    {
                        f"{column} {reason}": number
                        for (column, reason), number in kept.dropped.items()
                    }
                )
                page.matched = Counter(kept.matched)
            after = page.upto
            pages.append(page)
        return pages

    def _encode(self, chosen: Chosen, as_of: dt.datetime) -> Serialized:
        table = chosen.read.table
        if not chosen.whole:
            table = table.take(chosen.positions)
        keys = chosen.read.joined_keys()
        new_ids = chosen.versions is not None and self.destination.model.on_change == "new_version"
        texts = (
            pa.array([version.hex() for version in chosen.versions or ()], pa.string())
            if new_ids
            else None
        )
        return self.serializer().encode(
            table,
            keys if chosen.whole else keys.take(chosen.positions),
            as_of,
            texts,
            None
            if self.horizon is None or chosen.again
            else functools.partial(self._unproven, chosen),
        )

    def _unproven(self, chosen: Chosen, times: pa.Array) -> Mask:
        """Rows that may have been delivered before, by their event_time or their cursor."""
        assert self.horizon is not None
        found = unproven(times, chosen.cursors, self.warehouse.cursor, self.horizon)
        known = [row for row, state in chosen.prior.items() if state != RowState.EXPIRED]
        found[known] = False
        return found

    def _fill(self, page: Page, encoded: Serialized, start: int) -> None:
        """Give a page its share of what was encoded: our own verdicts, and batches of records."""
        stop = start + len(page)
        for row, why in encoded.rejected.items():
            if start <= row < stop:
                page.own[row - start] = (RowState.REJECTED, why)
        decided: list[tuple[RowState, np.ndarray, Rejection | None]] = [
            (RowState.EXPIRED, encoded.expired, None),
            (RowState.SUPPRESSED, encoded.suppressed, None),
            (RowState.EXPIRED, encoded.left_out, BEYOND_LEDGER),
        ]
        for state, rows, cause in decided:
            page.own.update(
                {row - start: (state, cause) for row in rows.tolist() if start <= row < stop}
            )
        first, end = encoded.positions.searchsorted([start, stop]).tolist()
        page.groups = encoded.group_values
        page.batches, too_large = self._batches(encoded, first, end, start)
        page.own.update(
            {row: (RowState.REJECTED, Rejection("too_large", None)) for row in too_large}
        )

    def _batches(
        self, encoded: Serialized, first: int, end: int, start: int
    ) -> tuple[list[Batch], list[int]]:
        limits = BatchLimits(self.batch_size, self.destination.platform.limits.max_bytes)
        serializer = self.serializer()
        overheads = [serializer.overhead(group) for group in encoded.group_values]
        rows = (encoded.positions[first:end] - start).tolist()
        return cut(
            encoded.records[first:end], rows, encoded.groups[first:end].tolist(), overheads, limits
        )

    def _unrecorded(self, rows: Range) -> Iterator[Rows]:
        if self.destination.model.send == "on_change":
            yield from self.warehouse.read(rows, self.rows_together)
            return
        for read in self.warehouse.read_keys(rows, self.rows_together):
            absent = self.deduplicator.absent(read)
            for start in range(0, len(absent), self.page_rows):
                yield self.warehouse.read_by_key(
                    [read.mark(row).key or () for row in absent[start : start + self.page_rows]]
                )


def reads_under_way(batch_size: int, concurrency: int) -> int:
    """How many reads before one may not be recorded yet.

    One that waits, those in flight, those announced ahead, and those that wait to be recorded; each
    may be in parts.
    """
    in_flight = -(-concurrency * batch_size // ROWS_TOGETHER)
    return 1 + 2 * (in_flight + 2)
