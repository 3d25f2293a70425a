"""Final results that a platform tells only later: what an answer about them means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from connector.config.destination import Destination
from connector.delivery.auth import Auth, auth_for
from connector.delivery.factory import ca_file
from connector.delivery.redact import redact_code
from connector.delivery.request import Requests, origins
from connector.delivery.response import values_at
from connector.delivery.transports.base import Answer, Call
from connector.delivery.transports.requests import RequestsTransport
from connector.errors import EndpointError
from connector.platforms.answers import Poll

_LONGEST_REASON = 100

_UNKNOWN = (400, 404, 410)
"""Statuses of an answer that knows nothing of a receipt; the others behind it are asked about all the same."""


def results(
    destination: Destination, poll: Poll, receipts: Sequence[str], tokens: dict[str, str]
) -> Iterator[Counter[str]]:
    """For each receipt: state or reason -> how often, empty where the platform knows nothing of it.

    Ends early where the platform does not answer now. tokens: access tokens that were fetched.
    """
    if not receipts:
        return
    timeout = min(10.0, destination.model.delivery.timeout.total_seconds())
    transport = RequestsTransport(
        timeout=timeout,
        connections=1,
        ca_file=ca_file(destination),
        origins=origins(destination),
    )
    try:
        auth = auth_for(destination, transport, tokens=tokens)
        requests = Requests(destination)
        for receipt in receipts:
            url = requests.address(poll.path, {poll.param: receipt})
            found = _result(poll, url, transport, auth)
            if found is None:
                return
            yield found
    except EndpointError:
        return
    finally:
        transport.close()


def _result(poll: Poll, url: str, transport: RequestsTransport, auth: Auth) -> Counter[str] | None:
    """State or reason -> how often; None where the platform does not answer now."""
    call = Call("GET", url, {}, b"")
    answer = transport.send(auth.sign(call))
    if isinstance(answer, Answer) and answer.status == 401 and auth.refresh():
        answer = transport.send(auth.sign(call))
    if isinstance(answer, Answer) and answer.status in _UNKNOWN:
        return Counter()
    if not isinstance(answer, Answer) or answer.status != 200:
        return None
    try:
        body: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return Counter()
    found = Counter(
        f"result {redact_code(state, b'{}', _LONGEST_REASON)}"
        for state in values_at(body, poll.states)
        if isinstance(state, str)
    )
    for entry in (
        each
        for entries in values_at(body, poll.counts or "")
        if isinstance(entries, list)
        for each in entries
    ):
        if isinstance(entry, dict) and re.fullmatch(r"[0-9]{1,9}", str(entry.get(poll.count))):
            found[redact_code(str(entry.get(poll.reason)), b"{}", _LONGEST_REASON)] += int(
                entry[poll.count]
            )
    return found
