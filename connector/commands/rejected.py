"""The quarantine, as people see it."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, fields
from typing import Any

from connector.commands.key import key_to_json, refuse_other_columns
from connector.commands.moments import text_of_moment
from connector.config.loader import Target, destination_of
from connector.delivery.redact import UNREGISTERED
from connector.engine.context import RunContext, open_context
from connector.mapping.reasons import explained
from connector.platforms.answers import Codes
from connector.state import quarantine
from connector.state.clock import microseconds_of
from connector.state.keys import hash_of
from connector.state.quarantine import Quarantined

_NO_WORDS = (
    "the platform's code is not one that its file registers, so it is not kept; with"
    " privacy.platform_messages: redacted, the next refusal is kept in the platform's words,"
    " without what was sent"
)


@dataclass(frozen=True)
class RejectedRow:
    """A row in quarantine.

    Attributes:
        key: Texts of its key columns; None where they may describe a person.
        reason: The reason code.
        field: The column to look at, if one is to blame.
        code: The platform's own code.
        attempts: How often it was tried.
        first_seen: When it was first refused, in UTC.
        state: `rejected`, `dead` or `ambiguous_expired`.
        message: What our registry of the platform's errors advises; the platform's own words, if
            `privacy.platform_messages` keeps them; where our own rules did not accept the row, what
            they ask for.
    """

    key: tuple[str, ...] | None
    reason: str
    field: str | None
    code: str | None
    attempts: int
    first_seen: dt.datetime
    state: str
    message: str | None

    def to_json(self) -> dict[str, Any]:
        """As `capi rejected --json` prints it; a key of one column is a text, not a list."""
        return {
            **asdict(self),
            "key": key_to_json(self.key),
            "first_seen": text_of_moment(self.first_seen),
        }


FIELDS = tuple(field.name for field in fields(RejectedRow))


def rejected(
    target: Target,
    *,
    reason: str | None = None,
    since: dt.datetime | None = None,
    key: tuple[str, ...] | None = None,
    state: str | None = None,
) -> list[RejectedRow]:
    """The rows in quarantine.

    Args:
        target: The destination, or the path of its YAML file.
        reason: Only rows with this reason code.
        since: Only rows that were tried then or later.
        key: Only the row with this key, also where keys are kept as hashes.
        state: SQLAlchemy URL of the state database; default: as for `sync`.

    Raises:
        ConfigError: The key has other columns than source.key.
    """
    destination = destination_of(target)
    refuse_other_columns(destination, key)
    with open_context(destination, state=state) as context:
        key_hash = None if key is None else hash_of(key, context.store.key())
        return _listed(context, reason, since, key_hash)


def _listed(
    context: RunContext,
    reason: str | None,
    since: dt.datetime | None,
    key_hash: bytes | None,
) -> list[RejectedRow]:
    with context.store.read() as connection:
        codes = context.destination.platform.answers.codes
        return [
            rejected_row(row, codes)
            for row in quarantine.listed(
                connection,
                context.destination_id,
                reason=reason,
                since_us=None if since is None else microseconds_of(since),
                key_hash=key_hash,
            )
        ]


def rejected_row(row: Quarantined, codes: Codes) -> RejectedRow:
    """A row of the state, with what the platform's file says of its code."""
    known = codes.find(row.code) if row.code is not None else None
    advice = _NO_WORDS if row.code == UNREGISTERED else known.remedy if known is not None else None
    said = [text for text in (row.message, advice) if text]
    return RejectedRow(
        key=None if row.key is None else tuple(row.key),
        reason=row.reason,
        field=row.field,
        code=row.code,
        attempts=row.attempts,
        first_seen=dt.datetime.fromtimestamp(row.first_seen / 1_000_000, dt.UTC),
        state=row.state,
        message="; ".join(said) or explained(row.reason, row.field),
    )
