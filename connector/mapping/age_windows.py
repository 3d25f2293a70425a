"""Which rows are expired: older than the platform accepts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connector.arrow.masks import Mask, mask
from connector.mapping.conversions import Conversions
from connector.platforms.model import Platform


def expired_rows(conversions: Conversions, platform: Platform, as_of: dt.datetime) -> Mask:
    """Rows older than the platform accepts. Rejects rows too far in the future."""
    times = conversions.table["event_time"].combine_chunks()
    windows = platform.windows
    ahead = mask(pc.greater(times, pa.scalar(as_of + windows.max_future, times.type)))
    conversions.reject(ahead, "future_timestamp", "event_time")
    now = as_of + windows.margin
    expired = (
        np.zeros(len(times), bool)
        if windows.max_age is None
        else _older(times, now - windows.max_age)
    )
    if "action_source" in conversions.table.column_names:
        sources = conversions.table["action_source"].combine_chunks()
        for source, age in windows.max_age_by.items():
            expired = np.where(mask(pc.equal(sources, source)), _older(times, now - age), expired)
    return expired


def _older(times: pa.Array, limit: dt.datetime) -> Mask:
    return mask(pc.less(times, pa.scalar(limit, times.type)))
