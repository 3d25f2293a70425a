"""Has freed memory go back to the system; the whole process, so only the command line does it."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 1024 * 1024
"""Bytes of the smallest block that is asked of the system by itself."""

_MMAP_THRESHOLD = -3


def return_large_blocks() -> None:
    """Have glibc give large blocks back when they are freed.

    Left alone, it takes every size that it has seen freed for a usual one, and keeps blocks up to
    that size in one heap for each thread (90 MB over 1M rows). With another C library nothing
    changes. Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
