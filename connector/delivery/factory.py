"""Puts together what sends the pages of a destination: a sender with its transport and its credentials."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connector.arrow.records import Place
from connector.config.credentials import named_credentials
from connector.config.destination import Destination
from connector.delivery.auth import auth_for
from connector.delivery.rate_limit import RateLimiter, RetryBudget
from connector.delivery.request import Requests, origins
from connector.delivery.sender import Sender
from connector.delivery.transports.base import Call, Transport
from connector.delivery.transports.select import open_transport
from connector.model import Batch, Page


def _as_it_is(transport: Transport) -> Transport:
    return transport


@contextmanager
def open_sender(
    destination: Destination,
    body: Callable[[Page, Batch], bytes],
    *,
    secrets: Sequence[str],
    accept_all: bool,
    impersonal: Collection[Place] = (),
    budget: RetryBudget | None = None,
    tokens: dict[str, str] | None = None,
    wrapped: Callable[[Transport], Transport] = _as_it_is,
) -> Iterator[Sender]:
    """Sends pages; closed together with its connections.

    body: serializes a batch. secrets: credentials, which are taken out of messages. accept_all: a person said that
    refusals of nearly everything are to be recorded all the same. impersonal: places in a record where there is nothing of a
    person. budget: of retries. tokens: access tokens that were fetched. wrapped: puts something around the transport.
    """
    model, limits = destination.model, destination.platform.limits
    options: dict[str, Any] = {
        "timeout": model.delivery.timeout.total_seconds(),
        "ca_file": ca_file(destination),
        "origins": origins(destination),
    }
    transport = open_transport(
        model.delivery.transport, connections=destination.concurrency, **options
    )
    requests = Requests(destination)

    def build(page: Page, batch: Batch) -> Call:
        return requests.call(body(page, batch))

    # A new token is waited for, and a transport must not wait for itself.
    asking = (
        open_transport("requests", connections=1, **options)
        if destination.platform.auth.method == "oauth2"
        else None
    )
    sender = Sender(
        wrapped(transport),
        auth_for(destination, asking, tokens=tokens),
        destination.answers,
        build,
        concurrency=destination.concurrency,
        gate=RateLimiter(model.delivery.rate or limits.rate),
        budget=budget,
        accept_all=accept_all,
        secrets=secrets,
        impersonal=impersonal,
        credentials=named_credentials(destination),
    )
    try:
        yield sender
    finally:
        sender.close()
        transport.close()
        if asking is not None:
            asking.close()


def ca_file(destination: Destination) -> str | None:
    """The certificate authority of a private endpoint."""
    given = destination.model.delivery.ca_file
    return str(destination.root / given) if given else None
