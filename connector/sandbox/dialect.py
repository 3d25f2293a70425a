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

    Attributes:
        field: Path inside the event.
        code: Which of the platform's errors the dialect answers with.
        warning: The event is taken, and the message tells the caller something about it.
    """

    field: str
    message: str
    code: str = "invalid"
    warning: bool = False


class Reply(NamedTuple):
    """An answer.

    Attributes:
        body: JSON-able, or bytes as they are; None for an empty body.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Secrets:
    """What callers must prove that they know.

    Attributes:
        token: Of every platform; X takes it as the access token.
        app_secret: Of Meta; where it is set, each request must carry its proof.
        consumer_key, consumer_secret, token_secret: Requests to X are signed with them.
        client_id, client_secret, refresh_token: Google's access tokens are fetched with them.
        token_lifetime: Seconds for which an access token is valid.
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

    Attributes:
        access: Access tokens that were given out, and when they end.
        nonces: Those of signatures that were used.
        receipts: The results of earlier requests, by id.
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

    Attributes:
        path: Parameters of the route.
        headers: Lower-case names.
        body: Its JSON, None where it is none.
        raw: Its bytes.
        route: The path template that matched.
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

    Attributes:
        routes: Path templates.
        authenticate: Gives the answer to a caller who may not call, None to one who may.
        events: The events of a body, or a Reply where the body itself is unacceptable.
        check: Violations of one event.
        event_id: Id of one event.
        account: The account of a request, within which ids are unique.
        reply: The answer to judged events.
        answers: Bodies of answers, one of them `throttled`.
        partial: Whether events without violations are taken although others are refused.
        test: Whether the request is in test mode, so that nothing counts.
        others: Addresses that take no events.
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
    """Require one token.

    Args:
        token: Reads it from a request.
        denied: The answer to a request with another one, or none.
    """
    return lambda received: None if same(token(received), received.state.secrets.token) else denied


def same(given: object, secret: str) -> bool:
    """Whether a caller knows a secret."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), secret.encode())


def listed(
    received: Received, name: str, most: int, refuse: Callable[[str], Reply]
) -> list[dict[str, Any]] | Reply:
    """Return the events of a body that holds them in one array.

    Args:
        received: The request.
        name: Of the array.
        most: How many events it may hold.
        refuse: Makes the answer to a body without the array, or with too many events.
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
