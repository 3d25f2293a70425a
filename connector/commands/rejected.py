"""The quarantine, as people and `capi rejected --json` see it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from connector.config.destination import Destination
from connector.engine.context import open_context
from connector.mapping.reasons import explained
from connector.platforms.answers import Codes
from connector.state import quarantine
from connector.state.quarantine import Quarantined

FIELDS = ("key", "reason", "field", "code", "attempts", "first_seen", "state", "message")


def rejected(destination: Destination, *, reason: str | None = None) -> list[dict[str, Any]]:
    """One entry a quarantined row.

    key: null where it may describe a person. code, message: the platform's, redacted, with what its error registry advises; where our own rules
    did not accept the row, message says what they ask for. attempts: how often it was tried.
    """
    with open_context(destination) as context, context.store.read() as connection:
        codes = destination.platform.answers.codes
        return [
            _entry(row, codes)
            for row in quarantine.listed(connection, context.destination_id, reason=reason)
        ]


def _entry(row: Quarantined, codes: Codes) -> dict[str, Any]:
    known = codes.find(row.code) if row.code is not None else None
    seen = dt.datetime.fromtimestamp(row.first_seen / 1_000_000, dt.UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    key = (
        row.key[0]
        if row.key is not None and len(row.key) == 1
        else None
        if row.key is None
        else list(row.key)
    )
    return {
        "key": key,
        "reason": row.reason,
        "field": row.field,
        "code": row.code,
        "attempts": row.attempts,
        "first_seen": seen,
        "state": row.state,
        "message": "; ".join(
            text for text in (row.message, known.remedy if known is not None else None) if text
        )
        or explained(row.reason, row.field),
    }
