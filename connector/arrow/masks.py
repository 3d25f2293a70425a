"""Boolean Arrow arrays and validity as numpy masks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Mask = np.ndarray
"""One boolean a row, shape (n,)."""


def mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """A boolean array as a mask; null counts as false."""
    return (pc.fill_null(values, False) if values.null_count else values).to_numpy(
        zero_copy_only=False
    )


def present(values: pa.Array | pa.ChunkedArray) -> Mask:
    """Rows that hold a value."""
    if values.null_count in (0, len(values)):
        return np.full(len(values), not values.null_count)
    return values.is_valid().to_numpy(zero_copy_only=False)
