"""The receiver: an HTTP server on loopback with the platforms' endpoints, a control endpoint and a page for people."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connector.errors import ConfigError
from connector.sandbox.dialect import Dialect, Judged, Problem, Received, Reply
from connector.sandbox.dialects import all_dialects
from connector.sandbox.faults import Fault, Script, commit
from connector.sandbox.ledger import Ledger

_PAGE = Path(__file__).with_name("page.html")
_TUNABLE = ("token", "fail_rate", "reject_rate", "latency")


@dataclass(frozen=True)
class Settings:
    """How the receiver behaves.

    port: 0 picks a free one. token: what requests must carry. fail_rate: share of requests that fail. reject_rate: share of
    events refused, the same ones every time. latency: seconds. certificate, key: PEM files, for https.
    """

    port: int = 8477
    token: str = "sandbox-token"  # noqa: S105  of a local stand-in
    fail_rate: float = 0.0
    reject_rate: float = 0.0
    latency: float = 0.0
    seed: int = 0
    certificate: str | None = None
    key: str | None = None


@dataclass
class Receiver:
    """The state of a running receiver. url: its address."""

    settings: Settings
    ledger: Ledger = field(default_factory=Ledger)
    script: Script = field(default_factory=Script)
    url: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.settings.seed)  # noqa: S311  faults, not secrets

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = [Route("/", self._page), Route("/control", self._control, methods=["GET", "POST", "DELETE"]), Route("/received", self._received)]
        routes += [Route(_starlette_path(path), self._endpoint(dialect), methods=["POST"]) for dialect in all_dialects() for path in dialect.routes]
        return Starlette(routes=routes)

    def _endpoint(self, dialect: Dialect) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            if self.settings.latency:
                await asyncio.sleep(self.settings.latency)
            fault = self.script.next(raw) or self._random_fault()
            reply = self._judge(dialect, request, raw, take=fault is None or fault.take)
            if fault is not None and reply.status != dialect.denied.status:
                self.ledger.answer(fault.status if fault.kind == "status" else fault.kind)
                return await commit(fault, request)
            self.ledger.answer(reply.status)
            return _response(reply)

        return endpoint

    def _judge(self, dialect: Dialect, request: Request, raw: bytes, *, take: bool) -> Reply:
        """Check a request as the platform would, and remember the events it accepts."""
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            body = None
        received = Received(request.path_params, dict(request.query_params), {name.lower(): value for name, value in request.headers.items()}, body)
        if dialect.token(received) != self.settings.token:
            return dialect.denied
        events = dialect.events(received)
        if isinstance(events, Reply):
            return events
        judged = [Judged(event, self._problems(dialect, event, received)) for event in events]
        spoiled = any(each.problems for each in judged) and not dialect.partial
        for each in judged:
            if each.problems:
                self.ledger.refuse(each.problems[0].code)
            elif take and not spoiled and not dialect.test(received):
                self.ledger.take(
                    f"{dialect.name}/{dialect.account(each.event, received)}",
                    dialect.event_id(each.event),
                    each.event,
                    orjson.dumps(each.event, option=orjson.OPT_SORT_KEYS),
                )
        return dialect.reply(received, judged)

    def _problems(self, dialect: Dialect, event: dict[str, Any], received: Received) -> list[Any]:
        problems = list(dialect.check(event, received))
        if not problems and self.settings.reject_rate:
            chance = random.Random(f"{self.settings.seed}/{dialect.event_id(event)}").random()  # noqa: S311
            if chance < self.settings.reject_rate:
                return [Problem("", "refused by --reject-rate", "sandbox")]
        return problems

    def _random_fault(self) -> Fault | None:
        if self.settings.fail_rate and self._random.random() < self.settings.fail_rate:
            return Fault(status=self._random.choice((500, 503)), take=False)
        return None

    async def _page(self, _request: Request) -> Response:
        return HTMLResponse(_PAGE.read_text(encoding="utf-8"))

    async def _received(self, request: Request) -> Response:
        """The latest events and all counts; with ?ids=1 every event id with its number of copies."""
        summary = self.ledger.summary()
        if request.query_params.get("ids"):
            with self.ledger.lock:
                ids = {f"{platform}/{event_id}": [seen.copies, seen.conflicts] for (platform, event_id), seen in self.ledger.arrivals.items()}
            return _json({**summary, "ids": ids})
        with self.ledger.lock:
            return _json({**summary, "latest": list(self.ledger.latest)})

    async def _control(self, request: Request) -> Response:
        """GET: settings and counts. POST: change settings, or add faults. DELETE: behave, and forget what arrived."""
        if request.method == "DELETE":
            self.script.clear()
            self.ledger.clear()
        if request.method == "POST":
            try:
                self._change(orjson.loads(await request.body()))
            except (orjson.JSONDecodeError, TypeError, ConfigError) as error:
                return _json({"error": str(error)}, status=400)
        settings = {name: getattr(self.settings, name) for name in _TUNABLE if name != "token"}
        return _json({**settings, **self.ledger.summary()})

    def _change(self, wanted: dict[str, Any]) -> None:
        unknown = set(wanted) - {*_TUNABLE, "faults"}
        if unknown:
            raise ConfigError(f"the control endpoint knows {', '.join(_TUNABLE)} and faults")
        for fault in wanted.pop("faults", []):
            self.script.add(Fault.of(fault))
        self.settings = replace(self.settings, **wanted)


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run until interrupted. announce: called with the address once it answers."""
    with running(settings) as receiver, contextlib.suppress(KeyboardInterrupt):
        announce(receiver.url)
        threading.Event().wait()


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Receiver]:
    """A receiver in a thread of this process. Raises ConfigError where the port is taken."""
    receiver = Receiver(settings)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", settings.port))
    except OSError:
        listener.close()
        raise ConfigError(f"port {settings.port} is taken; stop the program that uses it, or choose another with --port") from None
    scheme = "https" if settings.certificate else "http"
    receiver.url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        receiver.application(), log_level="critical", lifespan="off", ssl_certfile=settings.certificate, ssl_keyfile=settings.key, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield receiver
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _response(reply: Reply) -> Response:
    if reply.body is None:
        return Response(b"", status_code=reply.status, headers=dict(reply.headers))
    if isinstance(reply.body, bytes):
        return Response(reply.body, status_code=reply.status, headers=dict(reply.headers))
    return _json(reply.body, reply.status, dict(reply.headers))


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json", headers=headers)


def _starlette_path(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"{\1}", template)
