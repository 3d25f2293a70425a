"""What the state remembers of a destination's source and target: digests, never values."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from connector.config.destination import Destination
from connector.config.secrets import is_reference
from connector.source.sql_text import fingerprint

_SOURCE = {
    "query": "the query",
    "cursor": "source.cursor",
    "key": "source.key",
    "time_zone": "source.time_zone",
    "time_unit": "source.time_unit",
    "transform": "transform",
    "warehouse": "source.warehouse",
}
"""Parts of a source that a watermark depends on -> how messages call them."""


def source_of(destination: Destination) -> dict[str, Any]:
    """What a watermark depends on."""
    source = destination.model.source
    return {
        "query": fingerprint(destination.query()),
        "cursor": source.cursor,
        "key": list(source.keys),
        "time_zone": source.time_zone,
        "time_unit": source.time_unit,
        "transform": destination.model.transform,
        "warehouse": None if is_reference(source.warehouse) else _digest(source.warehouse),
    }


def target_of(destination: Destination) -> dict[str, Any]:
    """Where rows of the ledger were delivered to.

    `others` is no part of the target, but tells destinations apart that share one: which events go
    where, by which credentials, from which warehouse.
    """
    model, keys = destination.model, destination.platform.account
    references = [
        model.source.warehouse if is_reference(model.source.warehouse) else None,
        model.auth.model_dump(mode="json"),
        dict(model.events),
    ]
    return {
        "platform": destination.platform_name,
        "endpoint": None if model.endpoint is None else _digest(model.endpoint.rstrip("/")),
        "account": {
            name: _digest(str(value))
            for name, value in model.account.items()
            if keys[name].identifies
        },
        "others": _digest(orjson.dumps(references, option=orjson.OPT_SORT_KEYS).decode()),
    }


def changed_source(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Parts in which two sources differ, in words."""
    return [words for part, words in _SOURCE.items() if before.get(part) != now.get(part)]


def changed_target(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Parts in which two targets differ, in words."""
    if not before:
        return []
    changed = [part for part in ("platform", "endpoint") if before[part] != now[part]]
    accounts = {**before["account"], **now["account"]}
    return changed + [
        f"account.{name}"
        for name in accounts
        if before["account"].get(name) != now["account"].get(name)
    ]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
