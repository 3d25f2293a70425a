"""Reason codes of our own rules, and what each means."""

from __future__ import annotations

from connector.platforms.columns import COLUMNS, EXTRA

_TEXTS = {
    "ambiguous_expired": "no answer said whether it arrived; `capi resolve` settles that",
    "ambiguous_resend": (
        "no answer said whether it arrived, and a person decided to send it again; `capi replay` "
        "does"
    ),
    "bad_extra": "{field} is not of the type that `extra` gives it",
    "bad_event_id": "event_id is too long or not text",
    "beyond_ledger": (
        "it is older than what the ledger remembers, so it may have been delivered before; "
        "`capi sync` with --yes sends it"
    ),
    "duplicate_event_id": (
        "another row has the same event_id for the same event, and the platform would take the two "
        "for one"
    ),
    "expired": "its event_time is older than the platform accepts",
    "future_timestamp": "event_time lies further in the future than the platform accepts",
    "long_event_name": ("event_name is longer than the platform accepts; map it under events"),
    "looks_hashed": (
        "{field} holds a digest, which would be hashed again; alias it to {field}_sha256"
    ),
    "no_identity": (
        "no identifier that the platform accepts is left; `capi lint-identifiers` tells what is "
        "wrong with them"
    ),
    "personal_id": "{field} holds an e-mail address, and would be sent as it is",
    "row_gone": "the warehouse has no row with this key any more",
    "suppressed": "consent was refused, or was not given where it is required",
    "too_large": "the record is larger than the platform accepts",
    "unknown_event_name": "the platform has no such event; map it under events",
}


def reason_for(column: str) -> str:
    """The code for an unusable value in a column."""
    if column.startswith(EXTRA):
        return "bad_extra"
    return {"event_time": "bad_timestamp", "contents": "bad_contents"}.get(column, f"bad_{column}")


def explained(reason: str, field: str | None) -> str | None:
    """What a reason code of ours means; None for what a platform said. No value is ever part of it.

    Args:
        reason: The code. For an unusable value the rule of its column is the explanation.
        field: The column to look at, if one is to blame.
    """
    if reason == "platform_rejected":
        return None
    if reason in _TEXTS:
        return _TEXTS[reason].format(field=field)
    rule = f"{field}: {COLUMNS[field].rule}" if field in COLUMNS else None
    if reason.startswith("missing_"):
        return f"the platform requires {rule or reason.removeprefix('missing_')}"
    return rule
