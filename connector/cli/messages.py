"""What the command line tells people of a result, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connector.cli.output import counted

NOT_REPLAYED = {
    None: "no row with this key is recorded; see that it is written as in the warehouse",
    "delivered": "the row with this key was delivered, so there is nothing to try again",
    "rejected": "the row with this key is not in quarantine, or no longer in the warehouse",
    "expired": "the row with this key is older than the platform accepts",
    "suppressed": "the row with this key may not be sent: consent was refused",
    "ambiguous_expired": "no answer told whether the row with this key arrived; `capi resolve` settles that",
    "erased": "the row with this key was erased, and is never sent",
}
"""What is recorded of a row that a replay did not find in quarantine -> why."""


def previewed(items: list[dict[str, Any]]) -> str:
    """How many rows a preview showed, and as what."""
    sent = [len(item["rows"]) for item in items if "request" in item]
    reasons = Counter(item["rejected"]["reason"] for item in items if "rejected" in item)
    told = f"{counted(sum(sent), 'row')} in {counted(len(sent), 'request')}, {counted(reasons.total(), 'row')} not sent"
    return told + (
        f" ({', '.join(f'{reason} {number}' for reason, number in reasons.items())})"
        if reasons
        else ""
    )


def erased(platform: str, before: str | None) -> str:
    """What a person who erased a row has to know. before: what was recorded of it. platform: its title."""
    if before is None:
        return "erased; it was not recorded, so see that the key is written as in the warehouse. A row with this key is never sent"
    if before == "delivered":
        return f"erased; it was delivered, so {platform} still has it: ask for its deletion there"
    if before == "ambiguous_expired":
        return f"erased; nobody knows whether it arrived at {platform}: ask for its deletion there"
    return "erased already" if before == "erased" else f"erased; it was recorded as {before}"


def linted(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as people read it."""
    rest = {
        name: entry[name] for name in ("placeholder", "already_hashed", "no_country_code")
    } | entry["malformed_by_reason"]
    told = (
        (name.replace("no_at", "no @").replace("_", " "), number)
        for name, number in rest.items()
        if number
    )
    share = "" if entry["valid_share"] is None else f"{entry['valid_share']:.1%}"
    return {
        **entry,
        "with_a_value": entry["rows"] - entry["empty"],
        "of_these_valid": share,
        "the_rest": ", ".join(f"{name} {number:,}" for name, number in told),
    }
