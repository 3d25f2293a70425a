"""What alerts are sent to, on loopback: an HTTP endpoint that collects JSON, and a mail server."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import orjson
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.support.servers import Reply, Request, answering, closed_port, serving


class Webhook:
    """What was posted. status: what it answers."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.url = ""

    @property
    def texts(self) -> list[str]:
        """The texts of messages as Slack has them."""
        return [body["text"] for body in self.bodies]

    @property
    def headlines(self) -> list[str]:
        """The first lines of these."""
        return [text.splitlines()[0] for text in self.texts]


@contextlib.contextmanager
def listening() -> Iterator[Webhook]:
    """An endpoint that takes JSON."""
    hook = Webhook()

    def take(request: Request) -> Reply:
        hook.bodies.append(orjson.loads(request.body))
        return Reply(hook.status, b"ok")

    with serving(answering(take)) as server:
        hook.url = f"{server.url}/services/T000/B000"
        yield hook


class MailServer:
    """A real SMTP server; what arrived, over TLS or not, and who logged in."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.logins: list[tuple[str, str]] = []
        self.refuses = ""
        self.port = 0

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take an address, or refuse it."""
        if address == self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a message."""
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        implicit = server.transport.get_extra_info("ssl_object") is not None
        self.encrypted.append(implicit or session.ssl is not None)
        return "250 OK"

    def login(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        """Take a login."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@contextlib.contextmanager
def mail_server(
    context: ssl.SSLContext | None = None, *, implicit: bool = False
) -> Iterator[MailServer]:
    """A mail server on loopback.

    context: with it, TLS from the first byte where `implicit`, by STARTTLS otherwise.
    """
    server = MailServer()
    server.port = closed_port()
    options: dict[str, Any] = {"authenticator": server.login, "auth_require_tls": False}
    if context is not None and not implicit:
        options["tls_context"] = context
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        ssl_context=context if implicit else None,
        **options,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
