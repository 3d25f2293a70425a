"""The body of a request around its records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connector.arrow.records import Records
from connector.config.destination import Destination
from connector.mapping.constants import constants_of
from connector.platforms.columns import EXTRA

_EVENTS = "$events"
_EVENT = "$event"
_RECORDS = b"\x00"
"""Stands for the records while the body around them is written; no JSON holds this byte."""

Group = Mapping[str, str | None]
"""The request fields that the records of one request share: name -> value."""


class Envelope:
    """Wraps records into request bodies, as the platform file's `body` says."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._constants = constants_of(destination)
        self._last: tuple[Group | None, tuple[bytes, bytes]] = (None, (b"", b""))

    def wrap(self, records: Records, group: Group) -> bytes:
        """The body of one request."""
        head, tail = self._around(group)
        return b"".join((head, records.joined(), tail))

    def overhead(self, group: Group) -> int:
        """Bytes that a body has beside its records and the commas between them."""
        head, tail = self._around(group)
        return len(head) + len(tail)

    def _around(self, group: Group) -> tuple[bytes, bytes]:
        """What stands before and after the records; most requests share it with the one before."""
        before, around = self._last
        if group != before:
            around = self._make(group)
            self._last = dict(group), around
        return around

    def _make(self, group: Group) -> tuple[bytes, bytes]:
        platform = self._destination.platform
        body = _fill(platform.body, {**self._constants, "request": dict(group)})
        test_mode, wanted = platform.test_mode, self._destination.model.test_mode
        if wanted and test_mode is not None and test_mode.method == "body":
            value = wanted if isinstance(wanted, str) else test_mode.value
            insert(body, test_mode.name.split("."), value)
        if body == _EVENT:
            return b"", b""
        for path, field in self._destination.model.request_extra_fields.items():
            if field.constant is not None:
                insert(body, path.split("."), field.constant)
        for name, value in group.items():
            if name.startswith(EXTRA) and value is not None:
                path = name.removeprefix(EXTRA)
                insert(body, path.split("."), orjson.Fragment(value))
        head, _, tail = orjson.dumps(body).partition(_RECORDS)
        return head + b"[", b"]" + tail


def insert(template: Any, path: list[str], value: Any) -> None:
    """Put a value into nested dictionaries; those on the way are made."""
    for key in path[:-1]:
        template = template.setdefault(key, {})
    template[path[-1]] = value


def _fill(template: Any, constants: Mapping[str, Mapping[str, Any]]) -> Any:
    """A body template with its references filled in; what has no value is left out."""
    if isinstance(template, dict):
        filled = {key: _fill(value, constants) for key, value in template.items()}
        return {key: value for key, value in filled.items() if value not in (None, {})}
    if isinstance(template, list):
        return [_fill(value, constants) for value in template]
    if template == _EVENTS:
        return orjson.Fragment(_RECORDS)
    if not isinstance(template, str) or template == _EVENT:
        return template
    if template.startswith("="):
        return template[1:]
    space, _, name = template.partition(".")
    return constants[space].get(name)
