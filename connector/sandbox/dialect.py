"""What the receiver must know of a platform to stand in for it.

Each dialect is written from the platform's documents, not from the connector's platform files: a
mistake there must not be repeated here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from connector.sandbox.fixtures import Fixtures


class Violation(NamedTuple):
    """Why an event is refused.

    field: path inside the event. code: for the dialect, which says it as its platform would.
    warning: something to tell the caller, although the event is taken.
    """

    field: str
    message: str
    code: str = "invalid"
    warning: bool = False


class Reply(NamedTuple):
    """An answer. body: JSON-able, or bytes as they are; None for an empty body."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Secrets:
    """What callers must prove that they know.

    token: of every platform; X takes it as the access token. app_secret: Meta's; where it is set,
    each request must carry its proof. consumer_key, consumer_secret, token_secret: with which
    requests to X are signed. client_id, client_secret, refresh_token: with which Google's access
    tokens are fetched. token_lifetime: how many seconds those last.
    """

    token: str = "sandbox-token"  # noqa: S105  of a local stand-in, as all of these
    app_secret: str = ""
    consumer_key: str = "sandbox-consumer-key"
    consumer_secret: str = "sandbox-consumer-secret"  # noqa: S105
    token_secret: str = "sandbox-token-secret"  # noqa: S105
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105
    refresh_token: str = "sandbox-refresh-token"  # noqa: S105
    token_lifetime: float = 3600.0


@dataclass
class DialectState:
    """What a dialect remembers from one request to the next.

    access: access tokens that were given out, and when they end. nonces: of signatures already
    used. receipts: what became of earlier requests, by their id.
    """

    secrets: Secrets
    access: dict[str, float] = field(default_factory=dict)
    nonces: dict[str, float] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)


def remember(store: dict[str, Any], key: str, value: Any) -> None:
    """Store something for later requests; the oldest of more than 100,000 is dropped."""
    store[key] = value
    if len(store) > 100_000:
        del store[next(iter(store))]


class Received(NamedTuple):
    """One request as a dialect sees it.

    path: parameters of the route. headers: lower-case names. body: its JSON, None where it is
    none. raw: its bytes. route: the path template that matched.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    raw: bytes
    method: str
    url: str
    route: str
    state: DialectState


class Judged(NamedTuple):
    """An event and what is wrong with it."""

    event: dict[str, Any]
    violations: Sequence[Violation]

    @property
    def refused(self) -> Violation | None:
        """The first violation that is more than a warning."""
        return next((violation for violation in self.violations if not violation.warning), None)


class Address(NamedTuple):
    """Another address of a platform, beside those that take events."""

    method: str
    route: str
    answer: Callable[[Received], Reply]


@dataclass(frozen=True)
class Dialect:
    """A platform as a receiver.

    routes: path templates. authenticate: the answer to a caller who may not, None to one who may.
    events: the events of a body, or a Reply where the body itself is unacceptable. check:
    violations of one event. event_id: its id. account: within which ids are unique. reply: the
    answer to judged events. answers: its bodies, one of
    them `throttled`. partial:
    whether events without violations are taken although others are refused. test: whether the
    request is in test mode, so that nothing counts. others: more addresses.
    """

    name: str
    routes: Sequence[str]
    authenticate: Callable[[Received], Reply | None]
    events: Callable[[Received], list[dict[str, Any]] | Reply]
    check: Callable[[dict[str, Any], Received], Sequence[Violation]]
    event_id: Callable[[dict[str, Any]], str]
    account: Callable[[dict[str, Any], Received], str]
    reply: Callable[[Received, Sequence[Judged]], Reply]
    answers: Fixtures
    partial: Callable[[Received, Sequence[Judged]], bool] = lambda _received, _judged: False
    test: Callable[[Received], bool] = lambda _received: False
    others: Sequence[Address] = ()


def bearer(received: Received) -> str | None:
    """The token of `Authorization: Bearer ...`."""
    scheme, _, token = received.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


def demand(
    token: Callable[[Received], str | None], denied: Reply
) -> Callable[[Received], Reply | None]:
    """Require one token. token: reads it from a request; denied: the answer to another one."""
    return lambda received: None if same(token(received), received.state.secrets.token) else denied


def same(given: object, secret: str) -> bool:
    """Whether a caller knows a secret."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), secret.encode())


def listed(
    received: Received, name: str, most: int, refuse: Callable[[str], Reply]
) -> list[dict[str, Any]] | Reply:
    """Return the events of a body that holds them in one array.

    refuse: the answer to a body that does not, or that holds too many.
    """
    if not isinstance(received.body, dict):
        return refuse("the body must be a JSON object")
    events = received.body.get(name)
    if not isinstance(events, list) or not events:
        return refuse(f"{name} must be a non-empty array")
    if len(events) > most:
        return refuse(f"{name} holds {len(events)} events; the limit is {most}")
    return events


HEX64 = re.compile(r"[0-9a-f]{64}\Z")
"""A hex SHA-256."""
