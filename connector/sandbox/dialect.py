"""What the receiver must know of a platform to stand in for it.

Each dialect is written from the platform's documents, not from the connector's platform files: a mistake there must not be
repeated here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """Why an event is refused. field: path inside the event; code: as the platform would say it."""

    field: str
    message: str
    code: str = "invalid"


class Reply(NamedTuple):
    """An answer. body: JSON-able, or bytes as they are; None for an empty body."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


class Received(NamedTuple):
    """One request as a dialect sees it. path: parameters of the route; headers: lower-case names."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class Judged(NamedTuple):
    """An event and what is wrong with it."""

    event: dict[str, Any]
    problems: Sequence[Problem]


@dataclass(frozen=True)
class Dialect:
    """A platform as a receiver.

    routes: path templates. token: reads the token of a request. denied: the answer to a wrong one. events: the events of a
    body, or a Reply where the body itself is unacceptable. check: problems of one event. event_id: its id. account: within which ids are unique. reply: the answer
    to judged events. partial: events without problems are taken although others are refused. throttled: the answer when the
    caller should slow down. test: whether the request is in test mode, so that nothing counts.
    """

    name: str
    routes: Sequence[str]
    token: Callable[[Received], str | None]
    denied: Reply
    events: Callable[[Received], list[dict[str, Any]] | Reply]
    check: Callable[[dict[str, Any], Received], list[Problem]]
    event_id: Callable[[dict[str, Any]], str]
    account: Callable[[dict[str, Any], Received], str]
    reply: Callable[[Received, Sequence[Judged]], Reply]
    partial: bool
    throttled: Reply
    test: Callable[[Received], bool] = lambda _received: False


def bearer(received: Received) -> str | None:
    """The token of `Authorization: Bearer ...`."""
    scheme, _, token = received.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


HEX64 = re.compile(r"[0-9a-f]{64}\Z")
"""A hex SHA-256."""
