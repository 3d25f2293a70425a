"""The receiver: the platforms' endpoints on loopback, a control endpoint, a page for people."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connector.errors import ConfigError
from connector.sandbox.access import LOOPBACK_NAMES, KnownHosts, refusal_of_change
from connector.sandbox.dialect import (
    Address,
    Dialect,
    DialectState,
    Judged,
    Received,
    Reply,
    Secrets,
    Violation,
)
from connector.sandbox.dialects import all_dialects
from connector.sandbox.faults import Fault, Script, commit
from connector.sandbox.inbox import Inbox
from connector.sandbox.loopback import serving, wait

_PAGE = Path(__file__).with_name("page.html")
_TUNABLE: dict[str, Callable[[Any], bool]] = {
    "token": lambda value: isinstance(value, str) and value != "",
    "fail_rate": lambda value: _is_number(value) and 0 <= value <= 1,
    "reject_rate": lambda value: _is_number(value) and 0 <= value <= 1,
    "latency": lambda value: _is_number(value) and value >= 0,
}


@dataclass(frozen=True)
class Settings(Secrets):
    """How the receiver behaves, and the secrets that callers must know.

    Attributes:
        port: 0 picks a free one.
        fail_rate: Share of requests that fail.
        reject_rate: Share of events refused, the same ones every time.
        latency: Seconds.
        certificate, key: PEM files, for https.
        hosts: More names that requests may be for, beside those of loopback.
    """

    port: int = 8477
    fail_rate: float = 0.0
    reject_rate: float = 0.0
    latency: float = 0.0
    seed: int = 0
    certificate: str | None = None
    key: str | None = None
    hosts: tuple[str, ...] = ()


@dataclass
class Receiver:
    """The state of a running receiver.

    Attributes:
        url: Its address.
    """

    settings: Settings
    inbox: Inbox = field(default_factory=Inbox)
    script: Script = field(default_factory=Script)
    url: str = ""

    def __post_init__(self) -> None:
        self.state = DialectState(self.settings)
        self._random = random.Random(self.settings.seed)  # noqa: S311  faults, not secrets

    def application(self) -> Starlette:
        """The ASGI application."""
        ours = [
            Route("/", self._page),
            Route("/control", self._control, methods=["GET", "POST", "DELETE"]),
            Route("/received", self._received),
        ]
        theirs = []
        for dialect in all_dialects():
            theirs += [
                Route(route, self._for_events(dialect, route), methods=["POST"])
                for route in dialect.routes
            ]
            theirs += [
                Route(other.route, self._for_others(other), methods=[other.method])
                for other in dialect.others
            ]
        theirs.sort(
            key=lambda route: len(route.param_convertors)
        )  # the plainest first: Meta's address fits more than Meta's requests
        names = (*LOOPBACK_NAMES, *map(str.lower, self.settings.hosts))
        application = Starlette(
            routes=[*ours, *theirs], middleware=[Middleware(KnownHosts, names=names)]
        )
        application.router.redirect_slashes = False
        return application

    def _for_events(self, dialect: Dialect, route: str) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            received = await self._receive(request, route)
            denied = dialect.authenticate(received)
            if denied is not None:
                return self._answer(denied)
            fault = self.script.next(received.raw, request.url.path) or self._random_fault()
            if fault is None:
                return self._answer(self._judge(dialect, received))
            if fault.take:
                self._judge(dialect, received)
            return await self._fail(fault, request, dialect)

        return endpoint

    def _for_others(self, other: Address) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            received = await self._receive(request, other.route)
            fault = self.script.next(received.raw, request.url.path, named=True)
            return (
                _response(other.answer(received))
                if fault is None
                else await self._fail(fault, request, None)
            )

        return endpoint

    async def _receive(self, request: Request, route: str) -> Received:
        raw = await request.body()
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            body = None
        headers = {name.lower(): value for name, value in request.headers.items()}
        return Received(
            request.path_params,
            dict(request.query_params),
            headers,
            body,
            raw,
            request.method,
            str(request.url),
            route,
            self.state,
        )

    async def _fail(self, fault: Fault, request: Request, dialect: Dialect | None) -> Response:
        self.inbox.answer(fault.status if fault.kind == "status" else fault.kind)
        if fault.kind in ("throttle", "answer"):
            return self._scripted(fault, dialect)
        return await commit(fault, request)

    def _scripted(self, fault: Fault, dialect: Dialect | None) -> Response:
        """Answer as a platform does; an address that takes no events knows no cases."""
        name = "throttled" if fault.kind == "throttle" else fault.answer
        if dialect is not None and name in dialect.answers:
            reply = dialect.answers.example(name)
        else:
            reply = Reply(429 if fault.kind == "throttle" else 404, None)
        return _response(reply._replace(headers={**reply.headers, **fault.headers}))

    def _judge(self, dialect: Dialect, received: Received) -> Reply:
        """Check a request as the platform would, and remember the events it accepts."""
        events = dialect.events(received)
        if isinstance(events, Reply):
            return events
        judged = [Judged(event, self._violations(dialect, event, received)) for event in events]
        refusals = [each.refused for each in judged]
        for refusal in filter(None, refusals):
            self.inbox.refuse(refusal.code)
        if not any(refusals) or dialect.partial(received, judged):
            self._take(
                dialect,
                received,
                [
                    each.event
                    for each, refusal in zip(judged, refusals, strict=True)
                    if refusal is None
                ],
            )
        return dialect.reply(received, judged)

    def _take(self, dialect: Dialect, received: Received, events: list[dict[str, Any]]) -> None:
        if dialect.test(received):
            self.inbox.validate(len(events))
            return
        for event in events:
            raw = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
            event_id = (
                dialect.event_id(event)
                or f"(no id) {hashlib.blake2b(raw, digest_size=16).hexdigest()}"
            )
            self.inbox.take(
                f"{dialect.name}/{dialect.account(event, received)}", event_id, event, raw
            )

    def _violations(
        self, dialect: Dialect, event: dict[str, Any], received: Received
    ) -> Sequence[Violation]:
        violations = dialect.check(event, received)
        if self.settings.reject_rate and all(violation.warning for violation in violations):
            dice = hashlib.blake2b(
                f"{self.settings.seed}/{dialect.event_id(event)}".encode(), digest_size=8
            ).digest()
            if int.from_bytes(dice) < self.settings.reject_rate * 2**64:
                return [*violations, Violation("", "refused by --reject-rate", "sandbox")]
        return violations

    def _answer(self, reply: Reply) -> Response:
        self.inbox.answer(reply.status)
        return _response(reply)

    def _random_fault(self) -> Fault | None:
        if self.settings.fail_rate and self._random.random() < self.settings.fail_rate:
            return Fault(status=self._random.choice((500, 503)), take=False)
        return None

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"))

    async def _received(self, request: Request) -> Response:
        """Tell the latest events and all counts; with ?ids=1 every event id and its copies."""
        summary = self.inbox.summary()
        if request.query_params.get("ids"):
            with self.inbox.lock:
                ids = {
                    f"{platform}/{event_id}": [seen.copies, seen.conflicts]
                    for (platform, event_id), seen in self.inbox.arrivals.items()
                }
            return _json({**summary, "ids": ids})
        with self.inbox.lock:
            return _json({**summary, "latest": list(self.inbox.latest)})

    async def _control(self, request: Request) -> Response:
        """Tell or change how the receiver behaves.

        GET: settings, counts and addresses. POST: change settings, add faults, expire tokens.
        DELETE: behave, and forget what arrived.
        """
        if request.method != "GET" and (refusal := refusal_of_change(request)) is not None:
            return refusal
        if request.method == "DELETE":
            self.script.clear()
            self.inbox.clear()
        if request.method == "POST":
            try:
                self._change(orjson.loads(await request.body()))
            except orjson.JSONDecodeError:
                return _json({"error": "the body must be JSON"}, status=400)
            except ConfigError as error:
                return _json({"error": str(error)}, status=400)
        settings = {name: getattr(self.settings, name) for name in _TUNABLE if name != "token"}
        return _json(
            {
                **settings,
                **self.inbox.summary(),
                "addresses": {dialect.name: list(dialect.routes) for dialect in all_dialects()},
            }
        )

    def _change(self, wanted: Any) -> None:
        """Apply all of it, or nothing."""
        if not isinstance(wanted, dict) or not set(wanted) <= {
            *_TUNABLE,
            "faults",
            "expire_tokens",
        }:
            raise ConfigError(
                f"the control endpoint knows {', '.join(_TUNABLE)}, faults and expire_tokens"
            )
        wrong = [
            name for name, value in wanted.items() if name in _TUNABLE and not _TUNABLE[name](value)
        ]
        if (
            wrong
            or not isinstance(wanted.get("faults", []), list)
            or not isinstance(wanted.get("expire_tokens", False), bool)
        ):
            raise ConfigError(
                f"{', '.join(wrong) or 'faults or expire_tokens'}: not a value that it can have"
            )
        for fault in [Fault.of(values) for values in wanted.get("faults", [])]:
            self.script.add(fault)
        if wanted.get("expire_tokens"):
            self.state.access.clear()
        self.settings = self.state.secrets = replace(
            self.settings, **{name: value for name, value in wanted.items() if name in _TUNABLE}
        )


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run until interrupted.

    Args:
        settings: How the receiver behaves.
        announce: Called with the address once it answers.
    """
    with running(settings) as receiver:
        wait(lambda: announce(receiver.url))


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Receiver]:
    """A receiver in a thread of this process. Raises ConfigError where the port is taken."""
    receiver = Receiver(settings)

    def make(url: str) -> Starlette:
        receiver.url = url
        return receiver.application()

    with serving(make, settings.port, settings.certificate, settings.key):
        yield receiver


def _response(reply: Reply) -> Response:
    if reply.body is None:
        return Response(b"", status_code=reply.status, headers=dict(reply.headers))
    if isinstance(reply.body, bytes):
        return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))
    return _json(reply.body, reply.status, dict(reply.headers))


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(value), status_code=status, media_type="application/json", headers=headers
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
