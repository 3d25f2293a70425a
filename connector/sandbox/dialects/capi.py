"""The base protocol, from its reference document: one event a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connector.sandbox.dialect import (
    HEX64,
    Dialect,
    Judged,
    Received,
    Reply,
    Violation,
    bearer,
    demand,
)
from connector.sandbox.fixtures import fixtures

_answers = fixtures("capi")

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "advertiser_id": int,
    "conversion_type": str,
    "data_source_key": str,
    "event_id": str,
    "ids": list,
    "order_id": str,
    "user_agent": dict,
    "timestamp": str,
    "value": (int, float),
    "currency": str,
}
_REQUIRED = ("advertiser_id", "conversion_type", "data_source_key", "event_id", "ids")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z\Z")
_ID_FORMS = {
    "Guid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z"),
    "Email": re.compile(r"[^\s@A-Z]+@[^\s@A-Z]+\.[^\s@A-Z]+\Z"),
    "HashedEmail": HEX64,
    "Phone": re.compile(r"\d{7,15}\Z"),
    "HashedPhone": HEX64,
    "FirstPartyId": re.compile(r".+\Z"),
}


def _events(received: Received) -> list[dict[str, Any]] | Reply:
    if not isinstance(received.body, dict):
        said = "the body must be one JSON object"
        return _answers.reply("refused", code="bad_json", said=said, path="")
    return [received.body]


def _check(event: dict[str, Any], _received: Received) -> list[Violation]:
    violations = [
        Violation(name, f"{name} is required", "missing") for name in _REQUIRED if name not in event
    ]
    violations += [
        Violation(name, f"{name} is not a field of this API", "unknown")
        for name in event
        if name not in _FIELDS
    ]
    for name, kind in _FIELDS.items():
        value = event.get(name)
        if name in event and (not isinstance(value, kind) or isinstance(value, bool)):
            violations.append(Violation(name, f"{name} has the wrong type", "type"))
    if violations:
        return violations
    if not event["ids"]:
        violations.append(Violation("ids", "at least one identifier is required", "no_identity"))
    for index, entry in enumerate(event["ids"]):
        violations += _check_id(f"ids[{index}]", entry)
    if not _TIMESTAMP.match(event.get("timestamp", "2000-01-01T00:00:00Z")):
        violations.append(Violation("timestamp", "timestamp must be ISO 8601 in UTC", "format"))
    if not re.fullmatch(r"[A-Z]{3}", event.get("currency", "USD")):
        violations.append(Violation("currency", "currency must be an ISO 4217 code", "format"))
    if not event["conversion_type"] or not event["event_id"]:
        violations.append(
            Violation("conversion_type", "conversion_type and event_id must not be empty", "format")
        )
    if "user_agent" in event and not set(event["user_agent"]) <= {"browser", "operating_system"}:
        violations.append(
            Violation("user_agent", "user_agent has browser and operating_system", "format")
        )
    return violations


def _check_id(where: str, entry: Any) -> list[Violation]:
    if not isinstance(entry, dict) or set(entry) != {"id", "name"}:
        return [Violation(where, "an identifier has exactly id and name", "format")]
    form = _ID_FORMS.get(entry["name"]) if isinstance(entry["name"], str) else None
    if form is None:
        return [Violation(f"{where}.name", "unknown identifier", "format")]
    return (
        []
        if isinstance(entry["id"], str) and form.match(entry["id"])
        else [Violation(f"{where}.id", f"not a valid {entry['name']}", "format")]
    )


def _reply(_received: Received, judged: Sequence[Judged]) -> Reply:
    first = judged[0].refused
    if first is None:
        return _answers.reply("taken")
    return _answers.reply("refused", code=first.code, said=first.message, path=first.field)


DIALECT = Dialect(
    name="capi",
    routes=("/signal/v1/conversion",),
    authenticate=demand(
        lambda received: bearer(received) or received.headers.get("x-api-key"),
        _answers.reply("wrong_token"),
    ),
    events=_events,
    check=_check,
    event_id=lambda event: str(event.get("event_id", "")),
    account=lambda event, _received: str(event.get("data_source_key", "")),
    reply=_reply,
    answers=_answers,
)
