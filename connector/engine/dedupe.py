"""Drops rows that the ledger has settled; rejects duplicate keys."""

from __future__ import annotations

import decimal
import functools
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from connector.arrow.composite_key import SEPARATOR
from connector.config.destination import Destination
from connector.config.personal_keys import are_personal
from connector.errors import ConfigError
from connector.model import RowState, SliceKind
from connector.source.reader import SourceReader
from connector.source.rows import Rows
from connector.state.keys import hash_keys
from connector.state.ledger import Entry, place_of
from connector.state.ledger_buffer import VERSION_BYTES

MOST_ASKED, TIMES_ASKED = 200, 5
"""Keys that the warehouse is asked about at once, and how often a slice."""

Item = TypeVar("Item")

Known = Callable[[Sequence[bytes]], dict[bytes, Entry]]
"""Looks key hashes up in the ledger."""


@dataclass(frozen=True)
class Chosen:
    """Rows that were read together, and the n of them that need anything more.

    Attributes:
        read: All of them.
        kind: Of the slice.
        keep: Positions of the n rows in `read`, in order.
        hashes: Key hashes of the n rows.
        cursors: Cursor texts of the n rows.
        versions: Digests of the n rows' values, where changes are sent.
        again: All rows are tried, whatever is recorded.
        prior: Which of the n were recorded before, and as what.
        changed: Rows that were delivered before and changed since.
    """

    read: Rows
    kind: SliceKind
    keep: list[int]
    hashes: list[bytes]
    cursors: list[str]
    versions: list[bytes] | None
    again: bool
    prior: dict[int, RowState]
    changed: int

    @property
    def whole(self) -> bool:
        """All rows need something."""
        return len(self.keep) == len(self.read)

    @functools.cached_property
    def positions(self) -> pa.Array:
        """`keep` for Arrow."""
        return pa.array(self.keep, pa.int64())


@dataclass(frozen=True)
class Deduplicator:
    """Chooses rows of slices that follow each other.

    Attributes:
        destination: Where they go.
        warehouse: Where they come from.
        key: Of the installation, for hashes.
        known: Looks key hashes up in the ledger.
        under_way: Reads before one that may not be recorded yet.
        asked: How many rows that came back in this slice the warehouse was asked about, each time.
    """

    destination: Destination
    warehouse: SourceReader
    key: bytes
    known: Known
    under_way: int
    asked: list[int] = field(default_factory=list)

    @functools.cached_property
    def _recent(self) -> deque[set[bytes]]:
        """Key hashes of the latest reads, whose pages may still be in flight; across slices."""
        return deque(maxlen=self.under_way)

    def absent(self, read: Rows) -> list[int]:
        """Rows that have no record at all."""
        hashes = hash_keys(read.joined_keys(), self.key)
        known = self.known(hashes)
        return [row for row, key_hash in enumerate(hashes) if key_hash not in known]

    def choose(self, read: Rows, kind: SliceKind, *, again: bool = False) -> Chosen:
        """Which rows need anything more.

        Args:
            read: Rows that were read together.
            kind: Of the slice.
            again: All rows need it, whatever is recorded.

        Raises:
            ConfigError: Rows share a key.
        """
        hashes = hash_keys(read.joined_keys(), self.key)
        here = set(hashes)
        if len(here) < len(hashes):
            raise self._shared(read, _repeated(read, hashes))
        known = self.known(hashes)
        versions = version_of(read.table) if self.destination.model.send == "on_change" else None
        cursors = read.cursors.to_pylist()
        keep, changed, returned = self._to_send(
            kind, hashes, cursors, versions, {} if again else known
        )
        if kind == "range":
            self._refuse_taken_keys(read, [*self._read_before(hashes, here), *returned])
        hashes = _at(keep, hashes)
        found = ((row, known.get(key_hash)) for row, key_hash in enumerate(hashes))
        return Chosen(
            read,
            kind,
            keep,
            hashes,
            _at(keep, cursors),
            versions and _at(keep, versions),
            again,
            {row: entry.state for row, entry in found if entry is not None},
            changed,
        )

    def _to_send(
        self,
        kind: SliceKind,
        hashes: list[bytes],
        cursors: list[str],
        versions: list[bytes] | None,
        known: dict[bytes, Entry],
    ) -> tuple[list[int], int, list[int]]:
        """Compares rows with their ledger entries.

        A recorded row that comes back with a new cursor is tried again if it was refused; a
        delivered one only where changes are sent and its values did change.

        Returns:
            Rows that need anything more, the number of delivered rows that changed, and the rows
            that came back with a new cursor.
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
            elif entry.state not in (RowState.AMBIGUOUS_EXPIRED, RowState.ERASED):
                came_back = kind in ("range", "given") and entry.place != place_of(cursors[row])
                differs = versions is not None and entry.version != versions[row]
                if came_back:
                    returned.append(row)
                if differs or (came_back and entry.state != RowState.DELIVERED):
                    keep.append(row)
                changed += entry.state == RowState.DELIVERED and (
                    differs if versions is not None else came_back
                )
        return keep, changed, returned

    def _read_before(self, hashes: list[bytes], here: set[bytes]) -> list[int]:
        """Rows whose key was in one of the reads just before, which may not be recorded yet."""
        twice = set().union(*(here & before for before in self._recent))
        self._recent.append(here)
        return [row for row, key_hash in enumerate(hashes) if key_hash in twice] if twice else []

    def _refuse_taken_keys(self, read: Rows, returned: list[int]) -> None:
        """Raise ConfigError where a recorded key with a new cursor is another row with that key.

        It would pass for delivered. The warehouse can tell it from a row that changed, but may
        have to look at every row: it is asked TIMES_ASKED a slice, about MOST_ASKED rows.
        """
        if returned and len(self.asked) < TIMES_ASKED:
            self.asked.append(len(returned))
            repeated = self.warehouse.duplicate_keys(
                among=[read.mark(row).key or () for row in returned[:MOST_ASKED]]
            )
            if repeated:
                raise self._shared(read, repeated)

    def _shared(self, read: Rows, keys: Iterable[tuple[str, ...]]) -> ConfigError:
        shown = (
            "personal ones"
            if are_personal(self.destination, read.keys)
            else ", ".join(sorted(", ".join(key) for key in keys)[:5])
        )
        return ConfigError(
            f"{self.destination.name}: several rows of the query share a key ({shown}); a key must"
            " identify one conversion, so make the query distinct or add a column to source.key"
        )


def _at(rows: Sequence[int], values: list[Item]) -> list[Item]:
    return values if len(rows) == len(values) else [values[row] for row in rows]


def _repeated(read: Rows, hashes: list[bytes]) -> set[tuple[str, ...]]:
    """The keys that several rows have."""
    numbers = Counter(hashes)
    return {
        read.mark(row).key or () for row, key_hash in enumerate(hashes) if numbers[key_hash] > 1
    }


def version_of(table: pa.Table) -> list[bytes]:
    """A digest of each row's values, whatever types their columns took from other rows."""
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    if not columns:
        return [bytes(VERSION_BYTES)] * table.num_rows
    return [
        hashlib.blake2b(
            SEPARATOR.join(row).encode("utf-8", "surrogatepass"), digest_size=VERSION_BYTES
        ).digest()
        for row in zip(*columns, strict=True)
    ]


def _plain(value: object) -> str:
    if value is None:
        return "\0"
    number = isinstance(value, int | float | decimal.Decimal) and not isinstance(value, bool)
    return format(decimal.Decimal(str(value)).normalize(), "f") if number else str(value)
