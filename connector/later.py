"""Final results that a platform tells only later: asked for at the end of a run, and booked to the run that sent them.

The run that asked notes them too, under the same kind of tally, since that is where people look. Rows are not judged by
them: the platform gives counts alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Any

import orjson

from connector.delivery.answers import values_at
from connector.delivery.auth import Auth, auth_for
from connector.delivery.redact import redact_code
from connector.delivery.sender import Answer, Call
from connector.delivery.transport import Transport
from connector.dispatch import ca_file
from connector.errors import EndpointError
from connector.platforms.model import Poll
from connector.request import Requests, origins
from connector.session import Session
from connector.state import receipts, runs
from connector.state.receipts import Receipt

MOST = 50
"""Receipts asked about in one run."""

_LONGEST_REASON = 100

_UNKNOWN = (400, 404, 410)
"""Statuses of an answer that knows nothing of a receipt; the others behind it are asked about all the same."""

GIVE_UP = dt.timedelta(days=7)


def ask(session: Session, run_id: str) -> None:
    """Ask about receipts that wait, oldest first. What is not final yet is asked again by the next run.

    run_id: of the run that asks. A platform that does not answer fails no run: the rows are recorded already.
    """
    poll = session.destination.platform.answers.poll
    if poll is None:
        return
    with session.store.read() as connection:
        waiting = receipts.oldest(connection, session.destination_id, MOST)
    if not waiting:
        return
    model = session.destination.model
    timeout = min(10.0, model.delivery.timeout.total_seconds())
    transport = Transport(timeout=timeout, connections=1, ca_file=ca_file(session.destination), origins=origins(session.destination))
    try:
        auth = auth_for(session.destination, transport, tokens=session.tokens)
        for receipt in waiting:
            results = _results(session, poll, receipt, transport, auth)
            if results is None:
                return
            _book(session, poll, receipt, results, run_id)
    except EndpointError:
        return
    finally:
        transport.close()


def _results(session: Session, poll: Poll, receipt: Receipt, transport: Transport, auth: Auth) -> Counter[str] | None:
    """State or reason -> how often, empty where it knows nothing of the receipt; None where the platform does not answer now."""
    url = Requests(session.destination, session.encoder).address(poll.path, {poll.param: receipt.receipt})
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
    found = Counter(f"result {redact_code(state, b'{}', _LONGEST_REASON)}" for state in values_at(body, poll.states) if isinstance(state, str))
    for entry in (each for entries in values_at(body, poll.counts or "") if isinstance(entries, list) for each in entries):
        if isinstance(entry, dict) and re.fullmatch(r"[0-9]{1,9}", str(entry.get(poll.count))):
            found[redact_code(str(entry.get(poll.reason)), b"{}", _LONGEST_REASON)] += int(entry[poll.count])
    return found


def _book(session: Session, poll: Poll, receipt: Receipt, results: Counter[str], run_id: str) -> None:
    pending = any(f"result {state}" in results for state in poll.pending) or not results
    too_old = session.clock() - dt.datetime.fromtimestamp(receipt.at / 1_000_000, dt.UTC) > GIVE_UP
    if pending and not too_old:
        return
    with session.store.write() as connection:
        receipts.drop(connection, session.destination_id, receipt.receipt)
        for noted_by in dict.fromkeys((receipt.run_id, run_id)):
            runs.add(connection, noted_by, {}, {"later": results or Counter({"result never told": 1})}, None)
