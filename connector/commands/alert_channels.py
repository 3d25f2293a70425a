"""Where alerts go: a Slack-compatible webhook, e-mail over SMTP, PagerDuty's events."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from connector.config.destination import Destination
from connector.config.models import EmailAlerts, PagerDutyAlerts
from connector.config.secrets import resolve
from connector.delivery.transports.base import HttpRequest, HttpResponse
from connector.delivery.transports.requests import RequestsTransport
from connector.errors import ConfigError, EndpointError
from connector.syntax.urls import endpoint_problem

_TIMEOUT = 10.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Alert:
    """One message.

    Attributes:
        destination: Its name.
        kind: What it is about; the same word when it begins and when it is over.
        over: Whether it is over.
        severity: How bad it is.
        headline: One sentence.
        lines: What happened, since when, counts, what to do.
        link: Of the run, where the YAML says how to make one.
    """

    destination: str
    kind: str
    over: bool
    severity: Literal["critical", "warning"]
    headline: str
    lines: tuple[str, ...]
    link: str | None = None

    @property
    def text(self) -> str:
        """All of it, in lines."""
        return "\n".join((self.headline, *self.lines, *([self.link] if self.link else [])))


Send = Callable[[Destination, Alert], None]


def channels(destination: Destination) -> dict[str, Send]:
    """The channels that a YAML asks for. Each raises ConfigError or EndpointError."""
    alerts = destination.model.alerts
    if alerts is None:
        return {}
    asked = {"webhook": alerts.webhook, "email": alerts.email, "pagerduty": alerts.pagerduty}
    senders: dict[str, Send] = {
        "webhook": post_to_webhook,
        "email": send_mail,
        "pagerduty": send_event,
    }
    return {name: senders[name] for name, given in asked.items() if given is not None}


def post_to_webhook(destination: Destination, alert: Alert) -> None:
    """Send one message, as Slack understands it."""
    assert destination.model.alerts is not None
    assert destination.model.alerts.webhook is not None
    url = _secret(destination, "webhook", destination.model.alerts.webhook)
    if endpoint_problem(url):
        raise ConfigError(f"{destination.name}: alerts.webhook must be an https address")
    _post(destination, "webhook", url, {"text": alert.text})


def send_event(destination: Destination, alert: Alert) -> None:
    """Send an event that opens or closes an incident (PagerDuty, Events API v2)."""
    assert destination.model.alerts is not None
    settings: PagerDutyAlerts | None = destination.model.alerts.pagerduty
    assert settings is not None
    event: dict[str, Any] = {
        "routing_key": _secret(destination, "pagerduty.routing_key", settings.routing_key),
        "event_action": "resolve" if alert.over else "trigger",
        "dedup_key": f"capi/{alert.destination}/{alert.kind}",
    }
    if not alert.over:
        event["payload"] = {
            "summary": alert.headline[:1024],
            "source": f"capi/{alert.destination}",
            "severity": alert.severity,
            "custom_details": {"text": "\n".join(alert.lines)},
        }
        if alert.link:
            event["links"] = [{"href": alert.link, "text": "the run"}]
    _post(destination, "pagerduty", settings.endpoint, event)


def send_mail(destination: Destination, alert: Alert) -> None:
    """Send one message over SMTP: encrypted, except to a server on this machine."""
    assert destination.model.alerts is not None
    settings: EmailAlerts | None = destination.model.alerts.email
    assert settings is not None
    message = EmailMessage()
    message["Subject"] = alert.headline
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message.set_content("\n".join((*alert.lines, *([alert.link] if alert.link else []))) + "\n")
    server = urlsplit(_secret(destination, "email.server", settings.server))
    try:
        with _connected(destination, server) as connection:
            if server.username:
                connection.login(unquote(server.username), unquote(server.password or ""))
            refused = connection.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise EndpointError(
            f"{destination.name}: the mail server of alerts.email did not take the alert"
            f" ({type(error).__name__})"
        ) from None
    if refused:
        raise EndpointError(
            f"{destination.name}: the mail server of alerts.email refused {len(refused)} of"
            f" {len(settings.to)} addresses under alerts.email.to"
        )


@contextlib.contextmanager
def _connected(destination: Destination, server: SplitResult) -> Iterator[smtplib.SMTP]:
    host = server.hostname or ""
    try:
        port = server.port
    except ValueError:
        port = 0
    if server.scheme not in ("smtp", "smtps") or not host or port == 0:
        raise ConfigError(
            f"{destination.name}: alerts.email.server must be an address such as"
            " smtps://user:password@mail.example:465, or smtp://... for STARTTLS"
        )
    proven = ssl.create_default_context()
    if server.scheme == "smtps":
        with smtplib.SMTP_SSL(host, port or 465, timeout=_TIMEOUT, context=proven) as connection:
            yield connection
        return
    with smtplib.SMTP(host, port or 587, timeout=_TIMEOUT) as connection:
        connection.ehlo()
        if host not in _LOCAL or connection.has_extn("starttls"):
            connection.starttls(context=proven)  # raises where the server cannot
            connection.ehlo()
        yield connection


def _secret(destination: Destination, name: str, reference: str) -> str:
    try:
        return resolve(reference, destination.root)
    except ValueError as error:
        raise ConfigError(f"{destination.name}: alerts.{name}: {error}") from None


def _post(destination: Destination, channel: str, url: str, body: dict[str, Any]) -> None:
    transport = RequestsTransport(timeout=_TIMEOUT, connections=1)
    headers = {"Content-Type": "application/json"}
    try:
        answer = transport.send(HttpRequest("POST", url, headers, orjson.dumps(body)))
    finally:
        transport.close()
    if not isinstance(answer, HttpResponse) or answer.status >= 300:
        raise EndpointError(f"{destination.name}: alerts.{channel} did not take the message")
