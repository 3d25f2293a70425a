"""What sends the pages of a session: a courier with its transport and its credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connector.delivery.auth import auth_for
from connector.delivery.courier import Courier
from connector.delivery.fastest import open_transport
from connector.delivery.pace import Gate
from connector.delivery.sender import Call
from connector.destination import Destination, named_credentials
from connector.page import Batch, Page
from connector.request import Requests, origins
from connector.session import Session


@contextmanager
def open_courier(session: Session, *, secrets: Sequence[str], accept_all: bool) -> Iterator[Courier]:
    """Sends pages; closed together with its connections. secrets: credentials, which are taken out of messages.

    accept_all: a person said that refusals of nearly everything are to be recorded all the same.
    """
    destination = session.destination
    model, limits = destination.model, destination.platform.limits
    options: dict[str, Any] = {"timeout": model.delivery.timeout.total_seconds(), "ca_file": ca_file(destination), "origins": origins(destination)}
    transport = open_transport(model.delivery.transport, connections=destination.concurrency, **options)
    requests = Requests(destination, session.encoder)

    def build(page: Page, batch: Batch) -> Call:
        return requests.call(batch.records, page.groups[batch.group])

    # A new token is waited for, and a transport must not wait for itself.
    asking = open_transport("requests", connections=1, **options) if destination.platform.auth.method == "oauth2" else None
    courier = Courier(
        transport,
        auth_for(destination, asking, tokens=session.tokens),
        destination.answers,
        build,
        concurrency=destination.concurrency,
        gate=Gate(model.delivery.rate or limits.rate),
        budget=session.budget,
        accept_all=accept_all,
        secrets=secrets,
        impersonal=session.encoder.impersonal,
        credentials=named_credentials(destination),
    )
    try:
        yield courier
    finally:
        courier.close()
        transport.close()
        if asking is not None:
            asking.close()


def ca_file(destination: Destination) -> str | None:
    """The certificate authority of a private endpoint."""
    given = destination.model.delivery.ca_file
    return str(destination.root / given) if given else None
