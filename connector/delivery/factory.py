"""Puts together what sends the pages of a destination: sender, transport and credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connector.config.credentials import named_credentials
from connector.config.destination import Destination
from connector.delivery.auth.select import auth_for
from connector.delivery.concurrency import ConcurrencyLimit
from connector.delivery.rate_limit import RateLimiter
from connector.delivery.redact import Redactor
from connector.delivery.request import RequestBuilder, origins
from connector.delivery.retry import OnRetry
from connector.delivery.retry_budget import RetryBudget
from connector.delivery.sender import Sender
from connector.delivery.transports.base import HttpRequest, Transport
from connector.delivery.transports.select import open_transport
from connector.model import Batch, Page


@contextmanager
def open_sender(
    destination: Destination,
    body: Callable[[Page, Batch], bytes],
    *,
    concurrency: ConcurrencyLimit,
    redactor: Redactor,
    accept_all: bool,
    budget: RetryBudget | None = None,
    tokens: dict[str, str] | None = None,
    wrap: Callable[[Transport], Transport] = lambda transport: transport,
    on_retry: OnRetry | None = None,
) -> Iterator[Sender]:
    """Open a sender; it is closed together with its connections.

    Args:
        destination: to send to.
        body: serializes a batch.
        concurrency: slots of batches in flight.
        redactor: decides what is kept of the platform's words.
        accept_all: a person said that refusals of nearly everything are to be recorded.
        budget: of retries.
        tokens: access tokens that were fetched.
        wrap: puts something around the transport.
        on_retry: called for each retry that is scheduled.

    Raises:
        ConfigError: a secret or the certificate authority cannot be read.
    """
    model, limits = destination.model, destination.platform.limits
    options: dict[str, Any] = {
        "timeout": model.delivery.timeout.total_seconds(),
        "ca_file": ca_file(destination),
        "origins": origins(destination),
    }
    transport = open_transport(model.delivery.transport, connections=concurrency.maximum, **options)
    builder = RequestBuilder(destination)

    def build(page: Page, batch: Batch) -> HttpRequest:
        return builder.build(body(page, batch))

    def build_validation(page: Page, batch: Batch) -> HttpRequest:
        return builder.build_validation(body(page, batch))

    # A new token is waited for, and a transport must not wait for itself.
    token_transport = (
        open_transport("requests", connections=1, **options)
        if destination.platform.auth.method == "oauth2"
        else None
    )
    sender = Sender(
        wrap(transport),
        auth_for(destination, token_transport, tokens=tokens),
        destination.answers,
        build,
        build_validation=None if builder.validator_url is None else build_validation,
        concurrency=concurrency,
        rate_limiter=RateLimiter(model.delivery.rate or limits.rate),
        budget=budget,
        accept_all=accept_all,
        redactor=redactor,
        credentials=named_credentials(destination),
        on_retry=on_retry,
    )
    try:
        yield sender
    finally:
        sender.close()
        transport.close()
        if token_transport is not None:
            token_transport.close()


def ca_file(destination: Destination) -> str | None:
    """Return the PEM file of a private endpoint's certificate authority."""
    given = destination.model.delivery.ca_file
    return str(destination.root / given) if given else None
