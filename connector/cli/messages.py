"""What the command line tells people of a result, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connector.cli import output

if TYPE_CHECKING:
    from connector.commands.erase import Erasure
    from connector.commands.lint import IdentifierQuality
    from connector.commands.overview import OverviewEntry
    from connector.commands.platforms import PlatformFacts
    from connector.commands.preview import Previewed
    from connector.commands.rekey import Rekeying
    from connector.engine.report import Report

NOT_REPLAYED = {
    None: "no row with this key is recorded; see that it is written as in the warehouse",
    "delivered": "the row with this key was delivered, so there is nothing to try again",
    "rejected": "the row with this key is not in quarantine, or no longer in the warehouse",
    "expired": "the row with this key is too old: for the platform, or for the ledger to tell"
    " whether it was delivered before",
    "suppressed": "the row with this key may not be sent: consent was refused",
    "ambiguous_expired": "no answer said whether the row with this key arrived; `capi resolve`"
    " settles that",
    "ambiguous": "no answer said yet whether the row with this key arrived; the next run settles"
    " that",
    "erased": "the row with this key was erased, and is never sent",
}
"""What is recorded of a row that a replay did not find in quarantine -> why."""


def previewed(items: Sequence[Previewed]) -> str:
    """How many rows a preview showed, and as what."""
    from connector.commands.preview import PreviewedRequest  # late: it was imported by the command

    requests = [item for item in items if isinstance(item, PreviewedRequest)]
    reasons = Counter(item.reason for item in items if not isinstance(item, PreviewedRequest))
    summary = (
        f"requests: {len(requests):,}, rows in them: {sum(len(each.rows) for each in requests):,},"
        f" rows not sent: {reasons.total():,}"
    )
    listed = ", ".join(f"{reason} {number}" for reason, number in reasons.items())
    return f"{summary} ({listed})" if reasons else summary


def beyond_ledger(rows: int, command: str) -> str:
    """What a person can do about rows that may have been delivered before the ledger's memory."""
    return (
        f"rows without a record that are older than what the ledger remembers: {rows:,}. They may"
        " have been delivered before (privacy.ledger_retention), so they were not sent;"
        f" `capi {command}` sends them"
    )


def erased(platform: str, done: Erasure) -> str:
    """What a person who erased a row has to know.

    Args:
        platform: Its title.
        done: What was recorded of the row, and where its key still is.
    """
    said = _erased(platform, done.before)
    if done.still_in:
        files = ", ".join(map(str, done.still_in))
        said += f". Its key still stands in {files}: delete old backups, and erase it again"
    return said


def _erased(platform: str, before: str | None) -> str:
    if before is None:
        return (
            "erased; it was not recorded, so see that the key is written as in the warehouse. A row"
            " with this key is never sent"
        )
    if before == "delivered":
        return f"erased; it was delivered, so {platform} still has it: ask for its deletion there"
    if before in ("ambiguous", "ambiguous_expired"):
        return f"erased; nobody knows whether it arrived at {platform}: ask for its deletion there"
    return "erased already" if before == "erased" else f"erased; it was recorded as {before}"


def rekeyed(done: Rekeying) -> str:
    """What became of an installation whose key was replaced."""
    lines = [
        f"{each.name}: rows carried over {each.carried:,}, forgotten {each.forgotten:,}"
        for each in done.destinations
    ]
    lines.append(
        "the new key lies in the state database; to keep it elsewhere, set CAPI_INSTALLATION_KEY"
        " (openssl rand -hex 32) and run this again"
        if done.stored
        else "the new key is the one that is given; CAPI_PREVIOUS_INSTALLATION_KEY can go"
    )
    lines.append("backups of the state from before hold hashes under the old key")
    return "\n".join(lines)


def linted(entry: IdentifierQuality) -> dict[str, Any]:
    """An identifier's quality as people read it."""
    rest = {
        "placeholder": entry.placeholder,
        "already hashed": entry.already_hashed,
        "no country code": entry.no_country_code,
    }
    for reason, number in entry.malformed_by_reason.items():
        rest[reason.replace("no_at", "no @").replace("_", " ")] = number
    share = "" if entry.valid_share is None else f"{entry.valid_share:.1%}"
    by = [f"by {origin} {number:,}" for origin, number in entry.read_by.items() if number]
    return {
        "identifier": entry.identifier,
        "column": entry.column,
        "rows": entry.rows,
        "with_a_value": entry.rows - entry.empty,
        "of_these_valid": f"{share} ({', '.join(by)})" if by else share,
        "the_rest": ", ".join(f"{name} {number:,}" for name, number in rest.items() if number),
    }


def at_a_glance(entry: OverviewEntry) -> dict[str, Any]:
    """A destination in one line, with its last run."""
    found, last = entry.status, entry.status.runs[0] if entry.status and entry.status.runs else None
    if found is None:
        note: str | None = entry.error
    else:
        note = found.warning
        if found.not_before:
            note = f"waits until {found.not_before}, as the platform asked" + (
                f"; {note}" if note else ""
            )
    return {
        "destination": entry.destination,
        "platform": entry.platform,
        "last_run": "none yet" if last is None and found else last and last["status"],
        "ended": last and last["ended_at"],
        "delivered": last and last["delivered"],
        "rejected": last and last["rejected"],
        "backlog": found and found.backlog,
        "lag": found and output.duration(found.lag_seconds),
        "quarantine": found and sum(found.quarantine.values()),
        "to_decide": found and found.ambiguous_expired,
        "note": note,
    }


WATERMARK_AHEAD = (
    "the high-water mark stands beyond the last row; rows that are added behind it are read only"
    " as far as source.lookback reaches. Was the table rebuilt? `capi status {}` shows both"
)


def platform_in_short(facts: PlatformFacts) -> dict[str, Any]:
    """A platform in one line."""
    return {
        "name": facts.name,
        "title": facts.title,
        "records": facts.max_events,
        "age": _span(facts.max_age),
        "version": facts.version,
        "ends": facts.version_end,
        "test": facts.test_mode,
        "open": len(facts.unproven) + len(facts.open_facts),
    }


def platform_in_full(facts: PlatformFacts) -> list[tuple[str, Any]]:
    """What a platform is and can do, line by line."""
    keys = ", ".join(
        f"{key} (optional)" if {"optional", "default"} & field.keys() else key
        for key, field in facts.account.items()
    )
    by = ", ".join(f"{_span(age)} for {source}" for source, age in facts.max_age_by.items())
    identity = " or ".join(" with ".join(group) for group in facts.identity)
    return [
        ("documents", facts.docs),
        ("endpoint", facts.endpoint or "each destination gives its own"),
        ("version", facts.version),
        ("version ends", facts.version_end),
        ("account keys", keys or "none"),
        ("credentials", facts.auth),
        ("records a request", facts.max_events),
        ("bytes a request", facts.max_bytes),
        ("requests a second", facts.requests_per_second),
        ("oldest conversion", ", ".join(filter(None, (_span(facts.max_age), by))) or "no limit"),
        ("ahead of time", _span(facts.max_future)),
        ("recognises an event id for", _span(facts.dedupe_window) or "no time at all"),
        ("required", ", ".join(facts.required) or None),
        ("event names", f"mapping {facts.event_names}"),
        ("a person is known by", identity or "any identifier"),
        ("opt-out", facts.opt_out),
        ("limited data use", facts.limited_data_use),
        ("consent", "sent" if facts.consent else "not sent"),
        ("test mode", facts.test_mode or "none; rehearse against `capi sandbox`"),
        ("refused records", "named" if facts.refusals == "named" else "found by halving"),
        ("good records beside bad ones", "taken" if facts.partial else "sent again"),
        *((f"other rules by {key}", ", ".join(choices)) for key, choices in facts.variants.items()),
    ]


def identifiers_of(facts: PlatformFacts) -> list[tuple[str, Any]]:
    """Each identifier, and the columns it is made from."""
    return [
        (
            name,
            ", ".join(made["columns"])
            + ("; leaves readable, where a destination lists it" if made["plain"] else ""),
        )
        for name, made in facts.identifiers.items()
    ]


def left_open_by(facts: PlatformFacts) -> list[tuple[str, Any]]:
    """What no document settles, and the lines of YAML that choose otherwise."""
    return [("unproven", sentence) for sentence in facts.unproven] + [
        (fact.says, "\n".join(fact.overrides)) for fact in facts.open_facts
    ]


def _span(seconds: float | None) -> str | None:
    """Seconds in the largest unit in which they are whole; None for none."""
    if not seconds:
        return None
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def followed(name: str, report: Report) -> str:
    """One line on a run of `capi sync --follow`."""
    lag = report.facts.get("lag_seconds")
    counts = ", ".join(
        f"{count} {getattr(report, count):,}"
        for count in ("rejected", "expired", "suppressed", "late")
        if getattr(report, count)
    )
    return (
        f"{name}: delivered {report.delivered:,} of {report.rows_read:,} rows"
        f" in {report.http_requests:,} requests"
        + (f", {counts}" if counts else "")
        + ("" if lag is None else f", lag {lag:.1f} s")
    )


OUTCOMES = {"pass": "PASS", "fail": "FAIL", "unknown": "cannot be known before sending"}
"""Outcome of a step of `capi preflight` -> how people read it."""
