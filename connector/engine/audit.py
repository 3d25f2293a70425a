"""What the audit says of rows: one entry for each verdict, without anything of a person.

Each checkpoint puts its entries into the state (`state/audit.py`); `engine/audit_files.py` writes
them out at the end of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from connector.arrow.text import whole
from connector.engine.page_builder import BEYOND_LEDGER
from connector.mapping.reasons import explained
from connector.model import Page, PageResult, RowState
from connector.platforms.answers import Codes
from connector.state import audit, clock, quarantine
from connector.state.clock import microseconds_of
from connector.state.quarantine import Tries

_MOMENT = pa.timestamp("us", "UTC")

STATES = {
    RowState.DELIVERED: "delivered",
    RowState.REJECTED: "rejected",
    RowState.EXPIRED: "expired",
    RowState.SUPPRESSED: "suppressed",
    RowState.AMBIGUOUS_EXPIRED: "ambiguous",
    RowState.ERASED: "erased",
}
"""`RowState` -> the word in the column `state`."""

_WORDS = [STATES[RowState(number)] for number in range(1, len(STATES) + 1)]
"""Words by number; a list, because pyarrow would import pandas to convert it at this place."""

EVENT = ("event_name", "event_id", "event_time")

ENTRY = pa.schema(
    [
        ("key", pa.string()),
        ("event_name", pa.string()),
        ("event_id", pa.string()),
        ("event_time", _MOMENT),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("code", pa.string()),
        ("field", pa.string()),
        ("remedy", pa.string()),
        ("http_status", pa.int16()),
        ("request", pa.int32()),
        ("first_seen", _MOMENT),
        ("settled_at", _MOMENT),
        ("attempt", pa.int32()),
    ]
)
"""Columns of one entry; destination, platform and run are the same for a whole file."""

_SET_ASIDE = (RowState.REJECTED, RowState.AMBIGUOUS_EXPIRED)
"""States of rows that quarantine has counted already."""

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


class AuditTrail:
    """Puts the entries of one run."""

    def __init__(self, destination_id: int, run_id: str, codes: Codes) -> None:
        """For one run.

        Args:
            destination_id: The destination.
            run_id: The run.
            codes: The platform file's, for remedies.
        """
        self._destination_id, self._run_id, self._codes = destination_id, run_id, codes

    def put(self, connection: Connection, results: Sequence[PageResult]) -> None:
        """Put an entry for each row that has a state, within the transaction that records it.

        It comes between two changes of the quarantine: rows that were refused now are in it, and
        those that leave it are still there.
        """
        now = clock.now_us()
        batches = [self._entries(connection, each, now) for each in results if each.states.any()]
        put_entries(connection, self._destination_id, self._run_id, batches)

    def _entries(self, connection: Connection, result: PageResult, now: int) -> pa.RecordBatch:
        page = result.page
        is_retry = page.kind == "replay" or page.resent is not None
        tried = range(len(page)) if is_retry else sorted(page.prior)
        known = quarantine.tries(
            connection, self._destination_id, [page.hashes[row] for row in tried]
        )
        tries = {row: known[page.hashes[row]] for row in tried if page.hashes[row] in known}
        entries = _entries_of(result, self._codes, tries, now)
        if result.states.all():
            return entries
        return entries.take(pa.array(np.flatnonzero(result.states)))


def put_entries(
    connection: Connection, destination_id: int, run_id: str, batches: Sequence[pa.RecordBatch]
) -> None:
    """Put entries into the state, where they wait to be written."""
    if not batches:
        return
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ENTRY, options=_COMPRESSED) as stream:
        for batch in batches:
            stream.write_batch(batch)
    rows = sum(batch.num_rows for batch in batches)
    audit.put(connection, destination_id, run_id, sink.getvalue().to_pybytes(), rows)


def decided(
    keys: Sequence[str], state: RowState, reason: str, tries: Sequence[Tries | None]
) -> pa.RecordBatch:
    """Entries of rows on which a person decided.

    Args:
        keys: As `key_texts` gives them, shape (n,).
        state: What they are recorded as now.
        reason: What the person did.
        tries: How often each was tried before, shape (n,); None where that is not known.
    """
    now, rows = clock.now_us(), len(keys)
    nothing = [None] * rows
    columns = {
        "key": keys,
        "state": [STATES[state]] * rows,
        "reason": [reason] * rows,
        "first_seen": [None if each is None else each.first_seen for each in tries],
        "settled_at": [now] * rows,
        "attempt": [None if each is None else each.attempts for each in tries],
    }
    return pa.record_batch(
        [pa.array(columns.get(each.name, nothing), each.type) for each in ENTRY], schema=ENTRY
    )


def key_text(key: Sequence[str] | None, key_hash: bytes) -> str:
    """How the audit calls one row, as `key_texts` does.

    Args:
        key: Texts of the key columns; None where they may describe a person.
        key_hash: Under which the state knows the row.
    """
    return key_hash.hex() if key is None else " ".join(key)


def key_texts(page: Page) -> pa.Array:
    """How the audit calls the rows of a page, shape (n,).

    The text of the key, parts joined by a blank; where it may describe a person, the hash under
    which the state knows the row, in hex digits.
    """
    if page.keys is None:
        return pa.array([key_hash.hex() for key_hash in page.hashes], pa.string())
    if len(page.keys) == 1:
        return page.keys[0].cast(pa.string())
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in page.keys), " ")


def _entries_of(
    result: PageResult, codes: Codes, tries: Mapping[int, Tries], now: int
) -> pa.RecordBatch:
    """An entry for each row of a page, also for those without a state.

    Args:
        result: What became of the page.
        codes: The platform file's.
        tries: Row -> how often it was tried up to now, where quarantine knows it.
        now: Unix microseconds.
    """
    page, rows = result.page, len(result.page)
    why: dict[str, list[str | None]] = {
        name: [None] * rows for name in ("reason", "code", "field", "remedy")
    }
    _explain(result, codes, why)
    first_seen = np.full(rows, microseconds_of(page.as_of))
    attempt = np.ones(rows, np.int32)
    for row, known in tries.items():
        first_seen[row] = known.first_seen
        own = page.own.get(row, (None, None))[1]
        was_set_aside = result.states[row] in _SET_ASIDE or own == BEYOND_LEDGER
        attempt[row] = known.attempts + (not was_set_aside)
    columns: dict[str, pa.Array] = {
        "key": key_texts(page),
        **_events(page),
        "state": pa.array(_WORDS).take(pa.array(np.maximum(result.states, 1) - 1)),
        **{name: pa.array(values, pa.string()) for name, values in why.items()},
        **_answers(result),
        "first_seen": pa.array(first_seen).cast(_MOMENT),
        "settled_at": pa.array(np.full(rows, now)).cast(_MOMENT),
        "attempt": pa.array(attempt),
    }
    return pa.record_batch([columns[name] for name in ENTRY.names], schema=ENTRY)


def _explain(result: PageResult, codes: Codes, why: dict[str, list[str | None]]) -> None:
    """Fill in reason, code, field and remedy of the rows that were not accepted."""
    for row, (state, own) in result.page.own.items():
        reason = STATES[state] if own is None else own.reason
        field = None if own is None else own.field
        why["reason"][row], why["field"][row] = reason, field
        why["remedy"][row] = explained(reason, field)
    for row, refused in result.refusals.items():
        known = codes.find(refused.code)
        why["reason"][row], why["field"][row] = "platform_rejected", refused.field
        why["code"][row] = refused.code
        why["remedy"][row] = None if known is None else known.remedy
    for row in np.flatnonzero(result.states == RowState.AMBIGUOUS_EXPIRED).tolist():
        why["reason"][row] = "ambiguous_expired"
        why["remedy"][row] = explained("ambiguous_expired", None)


def _events(page: Page) -> dict[str, pa.Array]:
    """Name, id and time of each row's event; null where they may hold something of a person."""
    if page.events is None:
        return {name: pa.nulls(len(page), ENTRY.field(name).type) for name in EVENT}
    columns = {
        name: whole(page.events[name]).cast(ENTRY.field(name).type, safe=False) for name in EVENT
    }
    for name in ("event_name", "event_id"):
        is_address = pc.match_substring(columns[name], "@")
        columns[name] = pc.if_else(is_address, None, columns[name])
    return columns


def _answers(result: PageResult) -> dict[str, pa.Array]:
    """HTTP status and number of the request that settled each row; null where none did."""
    if result.answers is None:
        return {
            "http_status": pa.nulls(len(result.page), pa.int16()),
            "request": pa.nulls(len(result.page), pa.int32()),
        }
    status, request = result.answers[:, 0], result.answers[:, 1]
    return {
        "http_status": pa.array(status.astype(np.int16), mask=status == 0),
        "request": pa.array(request, mask=request == 0),
    }
