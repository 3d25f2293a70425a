"""Records as JSON, many of them in one buffer: a part of them shares it, and no record is an object of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.bytes import octets

Place = tuple[str, ...]
"""Keys from a record down to a value; a list does not count as a step."""


class Records(Sequence[bytes]):
    """texts: JSON of each record, shape (n,). Equal to any sequence of the same bytes."""

    def __init__(self, texts: pa.BinaryArray) -> None:
        self._texts = texts

    @classmethod
    def of(cls, records: Iterable[bytes]) -> Records:
        """Records that are at hand one by one."""
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
        """Bytes of each, shape (n,)."""
        lengths: np.ndarray = pc.binary_length(self._texts).to_numpy()
        return lengths.astype(np.int64)

    def take(self, positions: Sequence[int]) -> Records:
        """The records at these positions."""
        if positions and list(range(positions[0], positions[-1] + 1)) == positions:
            return self[positions[0] : positions[-1] + 1]
        return Records(self._texts.take(pa.array(positions, pa.int64())))

    def octets(self) -> memoryview:
        """All of them, one right after the other, without a copy."""
        return octets(self._texts).data

    def joined(self) -> bytes | memoryview:
        """All of them with commas between."""
        if len(self) == 1:
            return self[0]
        whole = pa.ListArray.from_arrays(pa.array([0, len(self)], pa.int32()), self._texts)
        return octets(pc.binary_join(whole, b",")).data
