"""Cuts records into batches, and refused batches into smaller ones."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from connector.arrow.records import Records
from connector.model import Batch


@dataclass(frozen=True)
class BatchLimits:
    """What one request may carry.

    Attributes:
        max_events: Records.
        max_bytes: Bytes of the whole body.
    """

    max_events: int
    max_bytes: int


def cut(
    records: Records,
    rows: Sequence[int],
    groups: Sequence[int],
    overheads: Sequence[int],
    limits: BatchLimits,
) -> tuple[list[Batch], list[int]]:
    """Cut records into batches.

    Args:
        records: all records of a page that are to be sent.
        rows: position of each record in its page.
        groups: of each record, the index of the request fields that a batch must share.
        overheads: for each group, bytes that a body has beside its records.
        limits: of one request.

    Returns:
        Batches in row order, one group each, and the rows whose record alone is too large.
    """
    sizes = records.sizes() + 1
    group_of = np.asarray(groups, np.int64)
    room = limits.max_bytes + 1 - np.asarray(overheads, np.int64)
    fits = sizes <= room[group_of] if len(records) else np.zeros(0, bool)
    batches: list[Batch] = []
    for group in range(len(overheads)):
        mine = np.flatnonzero(fits & (group_of == group))
        ends = np.cumsum(sizes[mine]).tolist()
        start = 0
        while start < len(mine):
            most = (ends[start - 1] if start else 0) + int(room[group])
            stop = bisect_right(ends, most, start, min(start + limits.max_events, len(mine)))
            chosen = mine[start:stop].tolist()
            batches.append(Batch(records.take(chosen), [rows[index] for index in chosen], group))
            start = stop
    batches.sort(key=lambda batch: batch.rows[0])
    return batches, [rows[index] for index in np.flatnonzero(~fits).tolist()]


def halves(batch: Batch, *, by_bytes: bool = False) -> tuple[Batch, Batch]:
    """Halve a batch of two or more records, by number or about equally by bytes."""
    middle = len(batch) // 2
    if by_bytes:
        sizes = np.cumsum(batch.records.sizes())
        middle = min(max(int(np.searchsorted(sizes, sizes[-1] / 2)), 1), len(batch) - 1)
    return batch.part(list(range(middle))), batch.part(list(range(middle, len(batch))))


def sample_positions(batch: Batch, number: int) -> Iterator[int]:
    """Yield positions of single records, evenly over the batch."""
    step = max(1, len(batch) // number)
    yield from range(step // 2, len(batch), step)
