"""Rows from the warehouse -> pages to send: known rows left out, the rest encoded and cut into batches."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from connector.conversion import SEPARATOR, Rejection
from connector.cursor import Mark, Range
from connector.delivery.batch import Limits, cut
from connector.destination import Destination
from connector.errors import ConfigError
from connector.page import Batch, Page, SliceKind, State
from connector.state.keys import hash_keys
from connector.state.ledger import Entry, place_of
from connector.state.recent import VERSION_BYTES
from connector.warehouse import Rows, Warehouse

if TYPE_CHECKING:
    from connector.encode import Encoded, Encoder

SINGLE_PAGE = 400
"""Rows of a page where every record is a request of its own: what a kill may send twice."""

ROWS_TOGETHER = 10_000
"""Rows that are read and encoded together, as many whole pages as go into it: more is hardly faster, and takes more memory."""

MOST_ASKED, TIMES_ASKED = 200, 5
"""Keys that the warehouse is asked about at once, and how often a slice."""

READS_AHEAD = 4
"""Reads that may be under way before the first of them is recorded."""

Item = TypeVar("Item")

Known = Callable[[Sequence[bytes]], dict[bytes, Entry]]
"""Looks key hashes up in the ledger."""


@dataclass(frozen=True)
class Pager:
    """Makes pages for slices that follow each other.

    encoder: gives the encoder, once there is something to encode. batch_size: records a request at most. recent: key hashes of
    the latest reads, of the slice before too, whose pages may still be under way. asked: of how many rows that came back in
    this slice the warehouse was asked whether they are others, each time.
    """

    destination: Destination
    encoder: Callable[[], Encoder]
    warehouse: Warehouse
    key: bytes
    known: Known
    batch_size: int
    clock: Callable[[], dt.datetime]
    name: str
    recent: deque[set[bytes]] = field(default_factory=lambda: deque(maxlen=READS_AHEAD))
    asked: list[int] = field(default_factory=list)

    @property
    def page_rows(self) -> int:
        """Rows of a page."""
        return self.batch_size if self.batch_size > 1 else SINGLE_PAGE

    @property
    def rows_together(self) -> int:
        """Rows of the pages that are read and encoded together."""
        return self.page_rows * max(ROWS_TOGETHER // self.page_rows, 1)

    def of_range(self, number: int, rows: Range, most: int | None = None) -> Iterator[list[Page]]:
        """Pages of everything in a range that was not delivered before; they move the mark, and the last one closes the slice. most: rows in them at most."""
        self.asked.clear()
        after, page_number, left, more = rows.after, 0, most, True
        while more and (left is None or left > 0):
            more = False
            size = self.rows_together
            for read in self.warehouse.read(rows, size if left is None else min(size, left)):
                pages = self.cut(read, number, page_number, "range", after, self.clock())
                page_number += len(pages)
                after = pages[-1].upto
                yield pages
                if left is not None:
                    left -= sum(len(page) for page in pages)
                    rows, more = Range(read.mark(len(read) - 1), rows.upto, rows.before), True
                    break
        yield [Page.closing(number, page_number, after, rows.upto if most is None else None, self.clock())]

    def missing(self, number: int, kind: SliceKind, rows: Range) -> Iterator[list[Page]]:
        """Pages of the rows in a range that have no record at all. Only keys are read of the rest."""
        page_number = 0
        for read in self._unrecorded(rows):
            pages = self.cut(read, number, page_number, kind, None, self.clock())
            page_number += len(pages)
            yield pages

    def count_missing(self, rows: Range) -> tuple[int, int]:
        """Rows in a range, and how many of them have no record."""
        seen = missing = 0
        for read in self.warehouse.read_keys(rows, self.rows_together):
            hashes = hash_keys(read.joined_keys(), self.key)
            seen += len(hashes)
            missing += len(hashes) - len(self.known(hashes))
        return seen, missing

    def any_missing(self, rows: Range) -> bool:
        """Whether a row in a range has no record; reads only as far as the first."""
        for read in self.warehouse.read_keys(rows, self.rows_together):
            hashes = hash_keys(read.joined_keys(), self.key)
            if len(self.known(hashes)) < len(hashes):
                return True
        return False

    def of_rows(self, number: int, page_number: int, read: Rows, as_of: dt.datetime | None = None) -> list[Page]:
        """Pages that try these rows again, whatever was recorded of them."""
        return self.cut(read, number, page_number, "replay", None, as_of or self.clock(), again=True)

    def cut(
        self,
        read: Rows,
        slice_number: int,
        first_page: int,
        kind: SliceKind,
        after: Mark | None,
        as_of: dt.datetime,
        *,
        again: bool = False,
    ) -> list[Page]:
        """One or more pages over rows that were read together.

        The last page ends where the rows end, so that the mark also passes the ones that are left out.
        """
        hashes = hash_keys(read.joined_keys(), self.key)
        here = set(hashes)
        if len(here) < len(hashes):
            raise self._shared(read, _repeated(read, hashes))
        known = {} if again else self.known(hashes)
        versions = self._versions(read) if self.destination.model.send == "on_change" else None
        cursors = read.cursors.to_pylist()
        keep, changed, returned = self._to_send(kind, hashes, cursors, versions, known)
        if kind == "range":
            self._refuse_taken_keys(read, [*self._cut_before(hashes, here), *returned])
        kept = self._encode(read, keep, as_of, versions)
        personal = self._is_personal(read)
        keys = read.keys if len(keep) == len(read) else tuple(part.take(pa.array(keep, pa.int64())) for part in read.keys)
        hashes, cursors, versions = _at(keep, hashes), _at(keep, cursors), versions and _at(keep, versions)
        pages: list[Page] = []
        for start in range(0, max(len(keep), 1), self.page_rows):
            stop = start + self.page_rows
            last = keep[stop - 1] if stop < len(keep) else len(read) - 1
            upto = read.mark(last)
            if kind != "range" and keep:
                after = Mark(cursors[start])
            page = Page(
                slice=slice_number,
                number=first_page + len(pages),
                kind=kind,
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
                again=_again(hashes[start:stop], None if again else known),
                changed=changed if not pages else 0,
            )
            self._fill(page, kept, start)
            if not pages:
                page.dropped = Counter({f"{column} {reason}": number for (column, reason), number in kept.dropped.items()})
                page.matched = Counter(kept.matched)
            after = page.upto
            pages.append(page)
        return pages

    def _to_send(
        self, kind: SliceKind, hashes: list[bytes], cursors: list[str], versions: list[bytes] | None, known: dict[bytes, Entry]
    ) -> tuple[list[int], int, list[int]]:
        """Rows that need anything more, how many rows were delivered in another form before, and the rows that came back with a new cursor.

        A recorded row that comes back with a new cursor is tried again if it was refused; a delivered one only where changes are
        sent and its values did change.
        """
        if not known:
            return list(range(len(hashes))), 0, []
        keep: list[int] = []
        returned: list[int] = []
        changed = 0
        for row, key_hash in enumerate(hashes):
            entry = known.get(key_hash)
            if entry is None:
                keep.append(row)
            elif entry.state not in (State.AMBIGUOUS_EXPIRED, State.ERASED):
                came_back = kind == "range" and entry.place != place_of(cursors[row])
                differs = versions is not None and entry.version != versions[row]
                if came_back:
                    returned.append(row)
                if differs or (came_back and entry.state != State.DELIVERED):
                    keep.append(row)
                changed += entry.state == State.DELIVERED and (differs if versions is not None else came_back)
        return keep, changed, returned

    def _encode(self, read: Rows, keep: list[int], as_of: dt.datetime, versions: list[bytes] | None) -> Encoded:
        whole = len(keep) == len(read)
        frame = read.frame if whole else read.frame.take(keep)
        keys = read.joined_keys()
        new_ids = versions is not None and self.destination.model.on_change == "new_version"
        texts = pa.array([versions[row].hex() for row in keep], pa.string()) if new_ids and versions is not None else None
        return self.encoder().encode(frame, keys if whole else keys.take(pa.array(keep, pa.int64())), as_of, texts)

    def _fill(self, page: Page, encoded: Encoded, start: int) -> None:
        """Give a page its share of what was encoded: our own verdicts, and batches of the records to send."""
        stop = start + len(page)
        for row, why in encoded.rejected.items():
            if start <= row < stop:
                page.own[row - start] = (State.REJECTED, why)
        for state, rows in ((State.EXPIRED, encoded.expired), (State.SUPPRESSED, encoded.suppressed)):
            page.own.update({row - start: (state, None) for row in rows.tolist() if start <= row < stop})
        first, end = encoded.positions.searchsorted([start, stop]).tolist()
        page.groups = encoded.group_values
        page.batches, too_large = self._batches(encoded, first, end, start)
        page.own.update({row: (State.REJECTED, Rejection("too_large", None)) for row in too_large})

    def _batches(self, encoded: Encoded, first: int, end: int, start: int) -> tuple[list[Batch], list[int]]:
        limits = Limits(self.batch_size, self.destination.platform.limits.max_bytes)
        encoder = self.encoder()
        overheads = [encoder.overhead(group) for group in encoded.group_values]
        rows = (encoded.positions[first:end] - start).tolist()
        return cut(encoded.records[first:end], rows, encoded.groups[first:end].tolist(), overheads, limits)

    def _unrecorded(self, rows: Range) -> Iterator[Rows]:
        if self.destination.model.send == "on_change":
            yield from self.warehouse.read(rows, self.rows_together)
            return
        for read in self.warehouse.read_keys(rows, self.rows_together):
            hashes = hash_keys(read.joined_keys(), self.key)
            known = self.known(hashes)
            absent = [row for row, key_hash in enumerate(hashes) if key_hash not in known]
            for start in range(0, len(absent), self.page_rows):
                yield self.warehouse.read_by_key([read.mark(row).key or () for row in absent[start : start + self.page_rows]])

    def _cut_before(self, hashes: list[bytes], here: set[bytes]) -> list[int]:
        """Rows whose key was in one of the reads just before, which may not be recorded yet. here: the hashes as a set."""
        twice = set().union(*(here & before for before in self.recent))
        self.recent.append(here)
        return [row for row, key_hash in enumerate(hashes) if key_hash in twice] if twice else []

    def _refuse_taken_keys(self, read: Rows, returned: list[int]) -> None:
        """A recorded key with a new cursor is a row that changed, or another row with the same key, which would pass for delivered.

        The warehouse can tell, but it may have to look at every row for that: it is asked a few times a slice, about some.
        """
        if returned and len(self.asked) < TIMES_ASKED:
            self.asked.append(len(returned))
            repeated = self.warehouse.duplicate_keys(among=[read.mark(row).key or () for row in returned[:MOST_ASKED]])
            if repeated:
                raise self._shared(read, repeated)

    def _shared(self, read: Rows, keys: Iterable[tuple[str, ...]]) -> ConfigError:
        shown = "personal ones" if self._is_personal(read) else ", ".join(sorted(", ".join(key) for key in keys)[:5])
        return ConfigError(
            f"{self.name}: several rows of the query share a key ({shown}); a key must identify one conversion, so make the query distinct or add a column to source.key"
        )

    def _is_personal(self, read: Rows) -> bool:
        """Whether keys may describe a person, by their column or by what they look like."""
        return self.destination.personal_key or bool(pc.any(pc.match_substring(read.joined_keys(), "@")).as_py())

    def _versions(self, read: Rows) -> list[bytes]:
        """Eight bytes over all values of each row, apart from its cursor."""
        return version_of(read.table)


def _at(rows: Sequence[int], values: list[Item]) -> list[Item]:
    return values if len(rows) == len(values) else [values[row] for row in rows]


def _again(hashes: list[bytes], known: dict[bytes, Entry] | None) -> frozenset[int]:
    """Rows that were recorded before. known: None for all of them."""
    if known is None:
        return frozenset(range(len(hashes)))
    return frozenset(index for index, key_hash in enumerate(hashes) if key_hash in known) if known else frozenset()


def _repeated(read: Rows, hashes: list[bytes]) -> set[tuple[str, ...]]:
    """The keys that several rows have."""
    numbers = Counter(hashes)
    return {read.mark(row).key or () for row, key_hash in enumerate(hashes) if numbers[key_hash] > 1}


def version_of(table: pa.Table) -> list[bytes]:
    """A digest of each row's values; the same values give the same digest, whatever types their columns took from other rows."""
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    if not columns:
        return [bytes(VERSION_BYTES)] * table.num_rows
    return [hashlib.blake2b(SEPARATOR.join(row).encode("utf-8", "surrogatepass"), digest_size=VERSION_BYTES).digest() for row in zip(*columns, strict=True)]


def _plain(value: object) -> str:
    if value is None:
        return "\0"
    number = isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool)
    return format(decimal.Decimal(str(value)).normalize(), "f") if number else str(value)
