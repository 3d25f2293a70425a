"""Which records a body names: by index, in order, by an echo of the record, or in its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from connector.delivery.json_path import (
    first_text,
    plain_text,
    texts_with_parent,
    value_at,
    whole_number,
)
from connector.delivery.outcome import PerRecord, Refusal
from connector.platforms.answers import Located

NO_CODE = "invalid"
"""The code of a refusal that has none of its own."""

_MAX_SENTENCE = 300


def locate(
    body: dict[str, Any],
    records: Sequence[bytes],
    located: Located,
    *,
    code: str,
    rest_taken: bool,
) -> PerRecord | None:
    """Find the records that a body names.

    Args:
        body: of the response.
        records: JSON of each record, in the order of the request.
        located: where the platform names records.
        code: of the whole response; empty where it has none.
        rest_taken: whether the records that are not named as refused were processed.

    Returns:
        Verdicts on single records, or None where the body speaks of none.
    """
    lists = (body_list for path in located.path if (body_list := _list_at(body, path)) is not None)
    entries = next(lists, None)
    if entries is None:
        refused = _by_pattern(body, located, len(records), code or NO_CODE)
    elif located.index is None and not located.echo:
        return _in_order(entries, located, len(records))
    elif located.echo:
        refused = _by_echo(entries, located, records)
    else:
        refused = _by_index(entries, located, len(records))
    if not refused:
        return None
    everyone = frozenset(range(len(records)))
    return PerRecord(everyone - refused.keys() if rest_taken else frozenset(), refused)


def _list_at(body: dict[str, Any], path: str) -> list[Any] | None:
    found = [body] if path == "." else value_at(body, path)
    return found if isinstance(found, list) else None


def _in_order(entries: list[Any], located: Located, count: int) -> PerRecord | None:
    """One entry a record, in the order of the request."""
    if len(entries) != count:
        return None
    delivered, refused = set(), {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        if _is_accepted(entry, located):
            delivered.add(index)
        else:
            refused[index] = _refusal_of(entry, located)
    unclear = len(delivered) + len(refused) < count
    return PerRecord(frozenset(delivered), refused, unclear=unclear)


def _by_index(entries: list[Any], located: Located, count: int) -> dict[int, Refusal]:
    """Entries that say which record they speak of."""
    refused: dict[int, Refusal] = {}
    for entry in entries:
        if not isinstance(entry, dict) or (located.warning and entry.get(located.warning)):
            continue
        index = value_at(entry, located.index or "")
        accepted = bool(located.ok) and _is_accepted(entry, located)
        if isinstance(index, int) and 0 <= index < count and not accepted:
            refused.setdefault(index, _refusal_of(entry, located))
    return refused


def _by_pattern(
    body: dict[str, Any], located: Located, count: int, code: str
) -> dict[int, Refusal]:
    """Texts in which an index stands."""
    refused: dict[int, Refusal] = {}
    for entry, text in texts_with_parent(body, located.text):
        beside = _refusal_of(entry, located)
        for pattern in located.pattern:
            for match in re.finditer(pattern, text):
                refusal = Refusal(
                    code if beside.code == NO_CODE else beside.code,
                    beside.message or text[match.start() :].splitlines()[0][:_MAX_SENTENCE],
                    match.groupdict().get("field"),
                )
                for index in map(whole_number, re.findall(r"\d+", match.group(1))):
                    if index is not None and index < count:
                        refused.setdefault(index, refusal)
    return refused


def _by_echo(entries: list[Any], located: Located, records: Sequence[bytes]) -> dict[int, Refusal]:
    """Entries that repeat the refused record: found again by the fields that identify it."""
    nothing = orjson.dumps([None] * len(located.echo))
    sent: dict[bytes, list[int]] = {}
    for index in reversed(range(len(records))):
        record = orjson.loads(records[index])
        identity = orjson.dumps([value_at(record, ours) for ours in located.echo.values()])
        sent.setdefault(identity, []).append(index)
    refused = {}
    for entry in entries:
        repeated = orjson.dumps([value_at(entry, theirs) for theirs in located.echo])
        if repeated != nothing and sent.get(repeated):
            refused[sent[repeated].pop()] = _refusal_of(entry, located)
    return refused


def _is_accepted(entry: dict[str, Any], located: Located) -> bool:
    return all(entry.get(key) in values for key, values in located.ok.items())


def _refusal_of(entry: dict[str, Any], located: Located) -> Refusal:
    code, where = (
        plain_text(value_at(entry, path)) if path else None
        for path in (located.code, located.field)
    )
    return Refusal(code or NO_CODE, first_text(entry, located.message) or "", where)
