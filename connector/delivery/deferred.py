"""Asks for final results that a platform tells only later."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from connector.config.destination import Destination
from connector.delivery.auth.base import AuthScheme
from connector.delivery.auth.select import auth_for
from connector.delivery.factory import ca_file
from connector.delivery.json_path import parse_json, values_at
from connector.delivery.redact import Redactor
from connector.delivery.request import RequestBuilder, origins
from connector.delivery.transports.base import HttpRequest, HttpResponse
from connector.delivery.transports.requests import RequestsTransport
from connector.errors import EndpointError
from connector.platforms.answers import Poll

_MAX_REASON = 100
_MAX_TIMEOUT = 10.0

_UNKNOWN_RECEIPT = (400, 404, 410)
"""Statuses of a platform that does not know a receipt; the next one is asked about all the same."""


def results(
    destination: Destination, poll: Poll, receipts: Sequence[str], tokens: dict[str, str]
) -> Iterator[Counter[str]]:
    """Ask for the result of each receipt; ends early where the platform does not respond now.

    Args:
        destination: that the receipts are of.
        poll: how the platform is asked.
        receipts: oldest first.
        tokens: access tokens that were fetched.

    Yields:
        State or reason -> how often; empty where the platform knows nothing of a receipt.
    """
    if not receipts:
        return
    timeout = min(_MAX_TIMEOUT, destination.model.delivery.timeout.total_seconds())
    transport = RequestsTransport(
        timeout=timeout,
        connections=1,
        ca_file=ca_file(destination),
        origins=origins(destination),
    )
    try:
        auth = auth_for(destination, transport, tokens=tokens)
        builder = RequestBuilder(destination)
        redactor = Redactor(destination.model.privacy.platform_messages)
        for receipt in receipts:
            url = builder.address(poll.path, {poll.param: receipt})
            result = _result(poll, url, transport, auth, redactor)
            if result is None:
                return
            yield result
    except EndpointError:
        return
    finally:
        transport.close()


def _result(
    poll: Poll, url: str, transport: RequestsTransport, auth: AuthScheme, redactor: Redactor
) -> Counter[str] | None:
    """Ask once. Returns None where the platform does not respond now."""
    request = HttpRequest("GET", url, {}, b"")
    response = transport.send(auth.sign(request))
    if isinstance(response, HttpResponse) and response.status == 401 and auth.refresh():
        response = transport.send(auth.sign(request))
    if isinstance(response, HttpResponse) and response.status in _UNKNOWN_RECEIPT:
        return Counter()
    if not isinstance(response, HttpResponse) or response.status != 200:
        return None
    return _counted(parse_json(response.body), poll, redactor)


def _counted(body: Any, poll: Poll, redactor: Redactor) -> Counter[str]:
    """Count states and reasons of a result."""
    known = {*poll.known, *poll.pending}
    counts = Counter(
        f"result {redactor.word(state, known, _MAX_REASON)}"
        for state in values_at(body, poll.states)
        if isinstance(state, str)
    )
    for entries in values_at(body, poll.counts or ""):
        for entry in entries if isinstance(entries, list) else []:
            number = str(entry.get(poll.count)) if isinstance(entry, dict) else ""
            if re.fullmatch(r"[0-9]{1,9}", number):
                reason = redactor.word(str(entry.get(poll.reason)), known, _MAX_REASON)
                counts[reason] += int(number)
    return counts
