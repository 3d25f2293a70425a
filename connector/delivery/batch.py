"""Cutting records into batches, and batches into smaller ones when a platform refuses them whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from connector.page import Batch


@dataclass(frozen=True)
class Limits:
    """What one request may carry. max_bytes: of the whole body."""

    max_events: int
    max_bytes: int


def cut(records: Sequence[bytes], rows: Sequence[int], groups: Sequence[int], overheads: Sequence[int], limits: Limits) -> tuple[list[Batch], list[int]]:
    """Batches in row order, one group each, and the rows whose record alone is too large.

    rows: position of each record in its page. groups: index of the request fields that a batch must share. overheads: for
    each group, bytes that a body has beside its records.
    """
    batches: list[Batch] = []
    too_large: list[int] = []
    open_batches: dict[int, tuple[Batch, int]] = {}
    for record, row, group in zip(records, rows, groups, strict=True):
        size = len(record)
        if size + overheads[group] > limits.max_bytes:
            too_large.append(row)
            continue
        current, used = open_batches.get(group, (None, 0))
        if current is None or len(current) >= limits.max_events or used + 1 + size > limits.max_bytes:
            current, used = Batch([], [], group), overheads[group] - 1
            batches.append(current)
        current.records.append(record)
        current.rows.append(row)
        open_batches[group] = (current, used + 1 + size)
    return batches, too_large


def halves(batch: Batch, *, by_bytes: bool = False) -> tuple[Batch, Batch]:
    """Two parts of a batch of two or more records: equal in number, or about equal in bytes."""
    middle = len(batch) // 2
    if by_bytes:
        sizes = np.cumsum([len(record) for record in batch.records])
        middle = min(max(int(np.searchsorted(sizes, sizes[-1] / 2)), 1), len(batch) - 1)
    return batch.part(list(range(middle))), batch.part(list(range(middle, len(batch))))


def spread(batch: Batch, number: int) -> Iterator[int]:
    """Positions of single records, evenly over the batch: a sample to tell a bad batch from a bad request."""
    step = max(1, len(batch) // number)
    yield from range(step // 2, len(batch), step)
