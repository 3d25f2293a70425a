"""Which records a body names: by index, in order, by an echo of the record, or in its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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
    elif located.index is None:
        refused = _by_echo(entries, located, records)
    else:
        refused = _by_index(entries, located, records)
    if located.taken is not None and (accepted := _list_at(body, located.taken)) is not None:
        return _in_two_lists(accepted, refused, located, records)
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


def _in_two_lists(
    accepted: list[Any],
    refused: dict[int, Refusal],
    located: Located,
    records: Sequence[bytes],
) -> PerRecord:
    """One list for the records that were taken, another one for those that were refused."""
    positions = _positions(accepted, located, records)
    delivered = frozenset(position for position, _ in positions if position not in refused)
    return PerRecord(delivered, refused, unclear=len(delivered) + len(refused) < len(records))


def _by_index(entries: list[Any], located: Located, records: Sequence[bytes]) -> dict[int, Refusal]:
    """Entries that say which record they speak of."""
    refused: dict[int, Refusal] = {}
    for position, entry in _positions(entries, located, records):
        if not (located.warning and entry.get(located.warning)) and not (
            located.ok and _is_accepted(entry, located)
        ):
            refused.setdefault(position, _refusal_of(entry, located))
    return refused


def _positions(
    entries: list[Any], located: Located, records: Sequence[bytes]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries that name a record of the request, each with its position there."""
    repeated = _by_identity(located, records) if located.echo and entries else {}
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        index = whole_number(plain_text(value_at(entry, located.index or "")) or "")
        position = None if index is None else index - located.first
        identity = _identity(entry, located.echo)
        if identity is not None:
            same = repeated.get(identity, [])
            if position not in same:
                position = same[0] if len(same) == 1 else None
        if position is not None and 0 <= position < len(records):
            yield position, entry


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
    sent = _by_identity(located, records)
    refused = {}
    for entry in entries:
        identity = _identity(entry, located.echo)
        if identity is not None and sent.get(identity):
            refused[sent[identity].pop(0)] = _refusal_of(entry, located)
    return refused


def _by_identity(located: Located, records: Sequence[bytes]) -> dict[bytes, list[int]]:
    """What answers repeat of a record -> positions of the records that have it."""
    sent: dict[bytes, list[int]] = {}
    for position, record in enumerate(records):
        identity = _identity(orjson.loads(record), located.echo.values())
        if identity is not None:
            sent.setdefault(identity, []).append(position)
    return sent


def _identity(holder: Any, paths: Iterable[str]) -> bytes | None:
    """The values at the paths, to compare; None where there is none of them."""
    values = [value_at(holder, path) for path in paths]
    return orjson.dumps(values) if any(value is not None for value in values) else None


def _is_accepted(entry: dict[str, Any], located: Located) -> bool:
    return all(entry.get(key) in values for key, values in located.ok.items())


def _refusal_of(entry: dict[str, Any], located: Located) -> Refusal:
    code, where = (
        plain_text(value_at(entry, path)) if path else None
        for path in (located.code, located.field)
    )
    return Refusal(code or NO_CODE, first_text(entry, located.message) or "", where)
