"""What a response means for the records of its request.

The policy for statuses is the table in `status.py`; a platform file adds what its bodies say.
Success is never inferred from a status alone: a response that was not positively understood is
ambiguous, and its records are sent again as the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from connector.delivery.json_path import (
    first_text,
    parse_json,
    plain_text,
    texts_at,
    value_at,
    whole_number,
)
from connector.delivery.located import locate
from connector.delivery.outcome import (
    Delivered,
    Halt,
    Outcome,
    PerRecord,
    Refusal,
    Retry,
    Unlocated,
)
from connector.delivery.retry_after import asks_to_retry, wait_seconds
from connector.delivery.status import THROTTLING, Meaning, meaning_of
from connector.delivery.transports.base import HttpResponse, TransportFailure
from connector.platforms.answers import Answers, Code, Success

MAX_RECEIPT = 255
"""Characters; a longer receipt fits no column and is not kept."""

_DUPLICATE = re.compile(
    r"\bduplicate|\balready (?:been )?(?:exist|process|receiv|accept|record|sent|submitted)",
    re.IGNORECASE,
)


def interpret(
    response: HttpResponse | TransportFailure, records: Sequence[bytes], spec: Answers, now: float
) -> Outcome:
    """Say what a response, or the lack of one, means for the records of its request.

    Args:
        response: what came.
        records: JSON of each record, in the order of the request.
        spec: how the platform's responses are understood.
        now: unix seconds, for dates in Retry-After.
    """
    if isinstance(response, TransportFailure):
        return _no_response(response)
    status, body = response.status, parse_json(response.body)
    meaning = Meaning.READ if status in spec.success.status else meaning_of(status, spec.status)
    wait = wait_seconds(response.headers, now)
    if status == 403 and asks_to_retry(response.headers, now):
        return Retry(f"HTTP {status} with Retry-After", ambiguous=False, wait=wait, throttled=True)
    said = _with_headers(body, response, spec)
    code, known = _code(said, spec)
    if known is not None and known.means != "refused":
        return _by_code(spec.codes.registered(code) or "", known, wait, status)
    if any(value_at(body, path) is True for path in spec.transient):
        return Retry(f"HTTP {status}, said to be transient", ambiguous=status >= 500, wait=wait)
    if known is not None or meaning is Meaning.REFUSED:
        return _refused(status, said, records, spec)
    if meaning is Meaning.READ:
        return _read(response, body, records, spec)
    if meaning is Meaning.TOO_LARGE:
        return Unlocated(_refusal(status, said, spec), by_bytes=True)
    if meaning is Meaning.DUPLICATE:
        return _conflict(response, body, records, spec, wait)
    return _by_status(status, meaning, wait)


def _with_headers(body: Any, response: HttpResponse, spec: Answers) -> Any:
    """The body; with the response's headers under `header`, where the platform speaks in them."""
    if not any(path.startswith("header.") for path in (*spec.codes.path, *spec.message)):
        return body
    return {**(body if isinstance(body, dict) else {}), "header": response.headers}


def _no_response(failure: TransportFailure) -> Outcome:
    if failure.kind == "untrusted":
        return Halt(
            f"{failure.detail}; check the endpoint's certificate, or give its authority as"
            " delivery.ca_file"
        )
    return Retry(
        failure.detail,
        ambiguous=failure.kind == "unknown",
        unreachable=failure.kind == "unsent",
    )


def _code(body: Any, spec: Answers) -> tuple[str, Code | None]:
    """Return the first registered code of a body and its entry, or else the first code."""
    found = [text for path in spec.codes.path for text in texts_at(body, path)]
    for text in found:
        known = spec.codes.find(text)
        if known is not None:
            return text, known
    return (found[0] if found else ""), None


def _by_code(code: str, known: Code, wait: float | None, status: int) -> Outcome:
    """Apply what the platform file says of a code."""
    why = f"HTTP {status}, code {code}"
    remedy = f"; {known.remedy}" if known.remedy else ""
    if known.means == "auth":
        return Halt(f"the platform refused the credentials ({why}){remedy}", auth=True)
    if known.means == "halt":
        return Halt(f"the platform refused the request itself ({why}){remedy}")
    if known.means == "ambiguous":
        return Retry(why, ambiguous=True, wait=wait)
    if known.means == "retry":
        return Retry(why, ambiguous=status >= 500, wait=wait, throttled=status < 500)
    return Delivered()


def _by_status(status: int, meaning: Meaning, wait: float | None) -> Outcome:
    """Apply a status whose body does not matter."""
    if meaning is Meaning.RETRY:
        return Retry(f"HTTP {status}", ambiguous=False, wait=wait, throttled=status in THROTTLING)
    if meaning is Meaning.AMBIGUOUS:
        return Retry(f"HTTP {status}", ambiguous=True, wait=wait)
    if meaning is Meaning.AUTH:
        return Halt(f"the platform refused the credentials (HTTP {status})", auth=True)
    if 300 <= status < 400:
        return Halt(
            f"the platform answered with a redirect (HTTP {status}), which is never followed;"
            " check the endpoint"
        )
    return Halt(
        f"the platform refused the request itself (HTTP {status}); check endpoint, account and"
        " API version"
    )


def _conflict(
    response: HttpResponse, body: Any, records: Sequence[bytes], spec: Answers, wait: float | None
) -> Outcome:
    """Take a record that the platform knows already for delivered.

    Of a batch nobody can tell which one it is.
    """
    words = response.body.decode("utf-8", "replace")
    if not _is_json(response) or not _DUPLICATE.search(words):
        return Retry(f"HTTP {response.status}", ambiguous=False, wait=wait)
    return Delivered() if len(records) == 1 else Unlocated(_refusal(response.status, body, spec))


def _read(response: HttpResponse, body: Any, records: Sequence[bytes], spec: Answers) -> Outcome:
    """Read the body of a response whose status says success."""
    status, success = response.status, spec.success
    words = response.body.decode("utf-8-sig", "replace").strip().lower()
    if status in success.status and (
        words in success.text or (not words and status in success.empty)
    ):
        return Delivered()
    if not isinstance(body, dict) or not _is_json(response):
        if status not in success.status:
            return _not_understood(_unexpected(status, success))
        what = "a body that is not the platform's" if words else "an empty body"
        return _not_understood(f"HTTP {status} with {what}")
    per_record = _locate(body, records, spec, status)
    if per_record is not None:
        return per_record
    if any(value_at(body, path) for path in success.error):
        return _not_understood(f"HTTP {status} with an error in its body")
    for path, values in success.failure.items():
        if _folded(value_at(body, path)) in values:
            return _not_understood(f"HTTP {status} whose {path} says failure")
    if status not in success.status:
        return _not_understood(_unexpected(status, success))
    if success.only is not None and not body.keys() <= set(success.only):
        return _not_understood(f"HTTP {status} with a body that is not the platform's")
    if not _counts_agree(body, success, len(records)):
        return _not_understood(f"HTTP {status} with another number of records than were sent")
    if any(value_at(body, path) is None for path in success.present):
        return _not_understood(f"HTTP {status} without what the platform says on success")
    for path, values in success.equals.items():
        if value_at(body, path) not in values:
            return _not_understood(f"HTTP {status} whose {path} does not say success")
    return Delivered(_receipt(body, spec))


def _unexpected(status: int, success: Success) -> str:
    """Say of a status such as 202 that nothing tells us that it means delivered."""
    expected = " or ".join(map(str, success.status))
    return (
        f"HTTP {status}, while this platform says HTTP {expected} once it has taken the records;"
        " if this status means the same, add it to overrides.answers.success.status"
    )


def _not_understood(why: str) -> Retry:
    return Retry(why, ambiguous=True, not_understood=True)


def _receipt(body: dict[str, Any], spec: Answers) -> str | None:
    """Return what the final result can be asked for with, where a column can hold it."""
    receipt = plain_text(value_at(body, spec.poll.receipt)) if spec.poll is not None else None
    usable = receipt and receipt.isprintable() and len(receipt) <= MAX_RECEIPT
    return receipt if usable else None


def _counts_agree(body: dict[str, Any], success: Success, count: int) -> bool:
    if success.count is not None and value_at(body, success.count) != count:
        return False
    sentences = {path: value_at(body, path) for path in success.count_in}
    if sentences and all(sentence is None for sentence in sentences.values()):
        return False
    for path, sentence in sentences.items():
        match = re.search(success.count_in[path], str(sentence))
        if sentence is not None and (match is None or whole_number(match.group(1)) != count):
            return False
    return True


def _refused(status: int, body: Any, records: Sequence[bytes], spec: Answers) -> Outcome:
    """Find the records that a refusal blames."""
    per_record = _locate(body, records, spec, status) if isinstance(body, dict) else None
    if per_record is not None and per_record.refused:
        return per_record
    refusal = _refusal(status, body, spec)
    return PerRecord(refused={0: refusal}) if len(records) == 1 else Unlocated(refusal)


def _locate(
    body: dict[str, Any], records: Sequence[bytes], spec: Answers, status: int
) -> PerRecord | None:
    return locate(
        body,
        records,
        spec.located,
        code=_code(body, spec)[0],
        rest_taken=status in spec.partial,
    )


def _refusal(status: int, body: Any, spec: Answers) -> Refusal:
    return Refusal(_code(body, spec)[0] or str(status), first_text(body, spec.message) or "")


def _folded(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _is_json(response: HttpResponse) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("", "application/json", "text/json", "text/plain") or kind.endswith("+json")
