"""Memory that is freed goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 1024 * 1024
"""Bytes of the smallest block that is asked of the system by itself."""

_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Have glibc give large blocks back when they are freed; does nothing where there is another C library.

    Left alone it takes every size that it has seen freed for a usual one, and keeps blocks up to that size in one heap for
    each thread: measured over 1M rows, 90 MB and more. Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
