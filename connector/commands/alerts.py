"""Tells a webhook when a destination begins to fail, and when it recovers."""

from __future__ import annotations

from typing import Literal, NamedTuple

import orjson

from connector.config.destination import Destination
from connector.config.secrets import resolve
from connector.delivery.transports.base import HttpRequest, HttpResponse
from connector.delivery.transports.requests import RequestsTransport
from connector.engine.context import RunContext
from connector.engine.outcome import problem_of
from connector.engine.report import Report
from connector.errors import ConfigError, EndpointError
from connector.state import runs
from connector.syntax.urls import endpoint_problem


class Standing(NamedTuple):
    """How a destination stands after its last run."""

    kind: Literal["healthy", "failing", "auth broken"]
    run_id: str
    delivered: int
    rejected: int


def standing(context: RunContext) -> Standing | None:
    """By the last run that ended; None before the first."""
    with context.store.read() as connection:
        ended = [
            row
            for row in runs.latest(connection, context.destination_id, 5)
            if row["status"] != "running"
        ]
        if not ended:
            return None
        last = ended[0]
        statuses = runs.tallies(connection, last["run_id"]).get("status", {})
    refused = last["status"] == "failed" and bool({"401", "403"} & statuses.keys())
    report = Report(
        last["run_id"],
        rows_read=last["rows_read"],
        delivered=last["delivered"],
        rejected=last["rejected"],
        expired=last["expired"],
        suppressed=last["suppressed"],
        late=last["late"],
        complete=last["status"] == "complete",
    )
    bad = problem_of(context.destination, report) is not None
    return Standing(
        "auth broken" if refused else "failing" if bad else "healthy",
        report.run_id,
        report.delivered,
        report.rejected,
    )


def post(destination: Destination, now: Standing) -> None:
    """Send one message, as Slack understands it.

    Raises:
        ConfigError: The webhook has no usable address.
        EndpointError: The webhook does not take the message.
    """
    assert destination.model.alerts is not None
    try:
        url = resolve(destination.model.alerts.webhook, destination.root)
    except ValueError as error:
        raise ConfigError(f"{destination.name}: alerts.webhook: {error}") from None
    if endpoint_problem(url):
        raise ConfigError(f"{destination.name}: alerts.webhook must be an https address")
    words = {
        "healthy": "delivers again",
        "failing": "is failing",
        "auth broken": "is refused by the platform: its token must be renewed",
    }
    text = (
        f"{destination.name} {words[now.kind]} (run {now.run_id}: {now.delivered} delivered,"
        f" {now.rejected} rejected)"
    )
    transport = RequestsTransport(timeout=10, connections=1)
    try:
        answer = transport.send(
            HttpRequest(
                "POST", url, {"Content-Type": "application/json"}, orjson.dumps({"text": text})
            )
        )
    finally:
        transport.close()
    if not isinstance(answer, HttpResponse) or answer.status >= 300:
        raise EndpointError(f"{destination.name}: the alert webhook did not take the message")
