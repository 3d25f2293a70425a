"""Memory that is freed goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes

import pyarrow as pa

LARGE = 1024 * 1024
"""Bytes of the smallest block that is asked of the system by itself."""

_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Have large blocks given back when they are freed: by Arrow, which takes them of the C library from now on, and by glibc.

    Arrow's own allocator keeps much of what was freed for a while (measured: 40 MB beside 40 in use). glibc, left alone, takes
    every size that it has seen freed for a usual one, and keeps blocks up to that size in one heap for each thread (90 MB over
    1M rows). With another C library the second is left as it is. Source: mallopt(3), M_MMAP_THRESHOLD; Arrow's memory pools.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
