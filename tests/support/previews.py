"""Previews as the command line prints them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connector.commands import preview as previews
from connector.config.destination import Destination


def preview(
    destination: Destination, rows: Iterable[Mapping[str, Any]], *, as_of: dt.datetime | None = None
) -> Iterator[dict[str, Any]]:
    """What rows that are given would become."""
    return (item.to_json() for item in previews.preview(destination, rows, as_of=as_of))


def sample(destination: Destination, limit: int) -> Iterator[dict[str, Any]]:
    """What the first rows of the query would become."""
    return (item.to_json() for item in previews.preview(destination, limit=limit))
