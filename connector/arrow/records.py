"""JSON records in one buffer, which slices share; no record is an object of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import value_bytes

Place = tuple[str, ...]
"""Path in a record: the keys from its top down to a value. A list is not a step."""


class Records(Sequence[bytes]):
    """A sequence of records; equal to any sequence of the same bytes."""

    def __init__(self, texts: pa.BinaryArray) -> None:
        """Join texts in one buffer.

        Args:
            texts: JSON of each record, shape (n,).
        """
        self._texts = texts

    @classmethod
    def of(cls, records: Iterable[bytes]) -> Records:
        """Collect single records."""
        return cls(pa.array(records, pa.binary()))

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> bytes | Records:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return Records(self._texts.slice(start, max(stop - start, 0)))
        record: bytes = self._texts[index].as_py()
        return record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def sizes(self) -> np.ndarray:
        """Length of each record in bytes, shape (n,)."""
        lengths: np.ndarray = pc.binary_length(self._texts).to_numpy()
        return lengths.astype(np.int64)

    def take(self, positions: Sequence[int]) -> Records:
        """The records at these positions."""
        if positions and list(range(positions[0], positions[-1] + 1)) == positions:
            return self[positions[0] : positions[-1] + 1]
        return Records(self._texts.take(pa.array(positions, pa.int64())))

    def buffer(self) -> memoryview:
        """All records back to back, without a copy."""
        return value_bytes(self._texts).data

    def joined(self) -> bytes | memoryview:
        """All records with commas between."""
        if len(self) == 1:
            return self[0]
        whole = pa.ListArray.from_arrays(pa.array([0, len(self)], pa.int32()), self._texts)
        return value_bytes(pc.binary_join(whole, b",")).data
