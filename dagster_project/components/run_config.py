"""Run configuration of a destination's asset: the options of `capi sync`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg

from connector import ConfigError, Options

CONFIG = {
    "dry_run": dg.Field(
        bool, default_value=False, description="read and encode, send and record nothing"
    ),
    "limit": dg.Field(dg.Noneable(int), default_value=None, description="rows at most"),
    "since": dg.Field(
        dg.Noneable(str),
        default_value=None,
        description="from this time on, with a zone; the high-water mark stays",
    ),
    "until": dg.Field(
        dg.Noneable(str), default_value=None, description="up to this time, with a zone"
    ),
    "replay_rejected": dg.Field(
        bool, default_value=False, description="try quarantined rows again as well"
    ),
    "test_mode": dg.Field(
        bool, default_value=False, description="use the platform's test mode; nothing is recorded"
    ),
    "yes": dg.Field(
        bool,
        default_value=False,
        description="send more rows than usual and rows that may have been delivered before the"
        " ledger's memory, and record refusals of nearly all of them",
    ),
}


def options_of(config: Mapping[str, Any]) -> Options:
    """Run configuration as options.

    Raises:
        ConfigError: A time has no zone, or a number is out of range.
    """
    times = {name: _moment(config[name]) for name in ("since", "until")}
    return Options(**{**config, **times})


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError("since and until are times with a zone, such as 2026-01-01T00:00:00Z")
    return moment.astimezone(dt.UTC)
