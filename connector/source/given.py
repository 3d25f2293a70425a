"""Rows that a program gives, where others are read from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.config.destination import Destination
from connector.model import Mark, Range
from connector.source.reader import SourceReader
from connector.source.rows import Rows
from connector.source.watermark import Cursor


class GivenRows(SourceReader):
    """Finds rows among those that are given, and only then in the warehouse.

    A page whose answer never came is made again from the rows that are given with the same keys.
    """

    def __init__(self, destination: Destination, columns: Sequence[str], rows: Rows) -> None:
        """A reader that knows some rows already.

        Args:
            destination: Whose rows.
            columns: Canonical columns that the destination can use.
            rows: Those that are given.
        """
        super().__init__(destination, columns)
        self.given = rows
        keys = zip(*(part.to_pylist() for part in rows.keys), strict=True)
        self._places = {key: row for row, key in enumerate(keys)}

    @property
    def cursor(self) -> Cursor | None:
        """None: what is given has no order, and the warehouse need not be asked."""
        return None

    def pages(self, size: int) -> Iterator[Rows]:
        """The given rows, `size` at a time."""
        for start in range(0, len(self.given), size):
            yield self.given.slice(start, min(start + size, len(self.given)))

    def ranges_of(self, after: Mark | None, upto: Mark) -> list[Range]:
        """Everything: cursors of given rows are no places in the warehouse."""
        return [Range()]

    def read_keys(self, rows: Range, size: int) -> Iterator[Rows]:
        """The given rows, then those of the warehouse."""
        yield from self.pages(size)
        yield from super().read_keys(rows, size)

    def read_by_key(self, keys: Sequence[tuple[str, ...]]) -> Rows:
        """The given rows with these keys; where one of them is not given, all of the warehouse."""
        if all(key in self._places for key in keys):
            return self.given.take([self._places[key] for key in keys])
        return super().read_by_key(keys)
