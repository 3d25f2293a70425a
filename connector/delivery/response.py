"""What an answer means for the records of its request.

`STATUS` is the whole policy for HTTP statuses; a platform file adds what its bodies say. Success is never inferred from a
status alone: an answer that was not positively understood is ambiguous, and its records are sent again as the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import orjson

from connector.delivery.redact import redact_code
from connector.delivery.retry_after import wait_seconds
from connector.delivery.transports.base import Answer, TransportFailure
from connector.platforms.answers import Answers, Code, Located, Success

LONGEST_RECEIPT = 255


class Meaning(Enum):
    """What a status says before the body is read."""

    READ = "read"
    """Success if the body says so too."""
    REFUSED = "refused"
    """Some or all records are unacceptable: those that the body names, otherwise found by halving the batch."""
    TOO_LARGE = "too_large"
    """Halve the batch by bytes."""
    RETRY = "retry"
    """Not processed; try again."""
    AMBIGUOUS = "ambiguous"
    """Perhaps processed; try again with the same bytes."""
    DUPLICATE = "duplicate"
    """Delivered before, if the body says so; otherwise try again."""
    AUTH = "auth"
    """The credentials are refused: stop."""
    HALT = "halt"
    """The address, version or form of the request is wrong: stop."""


STATUS: dict[int, Meaning] = {
    **dict.fromkeys((200, 201, 202, 207), Meaning.READ),
    **dict.fromkeys(range(300, 400), Meaning.HALT),
    **dict.fromkeys((400, 422), Meaning.REFUSED),
    **dict.fromkeys((401, 403), Meaning.AUTH),
    **dict.fromkeys((402, 404, 405, 410, 411, 414, 415, 426, 431, 451, 501, 505), Meaning.HALT),
    408: Meaning.AMBIGUOUS,
    409: Meaning.DUPLICATE,
    413: Meaning.TOO_LARGE,
    **dict.fromkeys((421, 425, 429, 503), Meaning.RETRY),
    **dict.fromkeys((500, 502, 504, *range(520, 528)), Meaning.AMBIGUOUS),
}


def meaning_of(status: int, overrides: Mapping[int, str]) -> Meaning:
    """The policy for a status; what no table knows fails closed."""
    if status in overrides:
        return Meaning(overrides[status])
    return STATUS.get(status, Meaning.HALT if 400 <= status < 500 else Meaning.AMBIGUOUS)


class Refusal(NamedTuple):
    """Why a platform refused a record. code: the platform's, or the HTTP status; message: its words, not yet redacted."""

    code: str
    message: str
    field: str | None = None


class Delivered(NamedTuple):
    """All records were taken. receipt: under which the platform tells the final result later, where it does so."""

    receipt: str | None = None


@dataclass(frozen=True)
class Named:
    """The answer speaks of single records. delivered and refused hold positions in the batch; the rest is sent again.

    unclear: the rest may have been taken, because the answer judged each record and left some out.
    """

    delivered: frozenset[int] = frozenset()
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    unclear: bool = False


class Unlocated(NamedTuple):
    """At least one record is refused, and the answer does not say which. by_bytes: the batch is too large."""

    refusal: Refusal
    by_bytes: bool = False


class TryAgain(NamedTuple):
    """ambiguous: the records may have been taken. wait: seconds the platform asked for. throttled: it has had enough.

    not_understood: the answer was complete and said nothing that the platform would say; a proxy may have given it.
    """

    why: str
    ambiguous: bool
    wait: float | None = None
    throttled: bool = False
    not_understood: bool = False


class Stop(NamedTuple):
    """Nothing more can be delivered. auth: new credentials may help."""

    why: str
    auth: bool = False


_NO_CODE = "invalid"

Outcome = Delivered | Named | Unlocated | TryAgain | Stop


def interpret(
    answer: Answer | TransportFailure, records: Sequence[bytes], spec: Answers, now: float
) -> Outcome:
    """What an answer, or the lack of one, means for the records of its request.

    records: JSON of each record, in the order of the request. now: unix seconds, for dates in Retry-After.
    """
    if isinstance(answer, TransportFailure):
        return _no_answer(answer)
    meaning = meaning_of(answer.status, spec.status)
    if answer.status in spec.success.status:
        meaning = Meaning.READ
    body = _json(answer.body)
    wait = wait_seconds(answer.headers, now)
    code, known = _code(body, spec)
    if known is not None and known.means != "refused":
        shown = (
            code
            if code in spec.codes.known
            else redact_code(code, b"[" + b",".join(records) + b"]", 64)
        )
        return _by_code(shown, known, wait, answer.status)
    if any(_get(body, path) is True for path in spec.transient):
        return TryAgain(
            f"HTTP {answer.status}, said to be transient", ambiguous=answer.status >= 500, wait=wait
        )
    if known is not None or meaning is Meaning.REFUSED:
        return _refused(answer.status, body, records, spec)
    if meaning is Meaning.READ:
        return _read(answer, body, records, spec)
    if meaning is Meaning.TOO_LARGE:
        return Unlocated(_refusal(answer.status, body, spec), by_bytes=True)
    if meaning is Meaning.DUPLICATE:
        return _conflict(answer, body, records, spec, wait)
    if meaning is Meaning.RETRY:
        return TryAgain(
            f"HTTP {answer.status}", ambiguous=False, wait=wait, throttled=answer.status == 429
        )
    if meaning is Meaning.AMBIGUOUS:
        return TryAgain(f"HTTP {answer.status}", ambiguous=True, wait=wait)
    if meaning is Meaning.AUTH:
        return Stop(f"the platform refused the credentials (HTTP {answer.status})", auth=True)
    if 300 <= answer.status < 400:
        return Stop(
            f"the platform answered with a redirect (HTTP {answer.status}), which is never followed; check the endpoint"
        )
    return Stop(
        f"the platform refused the request itself (HTTP {answer.status}); check endpoint, account and API version"
    )


def _no_answer(failure: TransportFailure) -> Outcome:
    if failure.kind == "untrusted":
        return Stop(
            f"{failure.detail}; check the endpoint's certificate, or give its authority as delivery.ca_file"
        )
    return TryAgain(failure.detail, ambiguous=failure.kind == "unknown")


def _code(body: Any, spec: Answers) -> tuple[str, Code | None]:
    """The error code of a body and what the registry knows of it: the first code that is known, or else the first there is."""
    found = [text for path in spec.codes.path if (text := _joined(body, path)) is not None]
    for text in found:
        known = spec.codes.find(text)
        if known is not None:
            return text, known
    return (found[0] if found else ""), None


def _joined(body: Any, path: str) -> str | None:
    """The text or number at a path; `a/b` joins two with a slash."""
    parts = [_plain(_get(body, part)) for part in path.split("/")]
    return (
        "/".join(part for part in parts if part is not None)
        if all(part is not None for part in parts)
        else None
    )


def _by_code(code: str, known: Code, wait: float | None, status: int) -> Outcome:
    remedy = f"; {known.remedy}" if known.remedy else ""
    if known.means == "auth":
        return Stop(
            f"the platform refused the credentials (HTTP {status}, code {code}){remedy}", auth=True
        )
    if known.means == "halt":
        return Stop(f"the platform refused the request itself (HTTP {status}, code {code}){remedy}")
    if known.means == "ambiguous":
        return TryAgain(f"HTTP {status}, code {code}", ambiguous=True, wait=wait)
    if known.means == "retry":
        return TryAgain(
            f"HTTP {status}, code {code}",
            ambiguous=status >= 500,
            wait=wait,
            throttled=status < 500,
        )
    return Delivered()


_DUPLICATE = re.compile(
    r"\bduplicate|\balready (?:been )?(?:exist|process|receiv|accept|record|sent|submitted)",
    re.IGNORECASE,
)


def _conflict(
    answer: Answer, body: Any, records: Sequence[bytes], spec: Answers, wait: float | None
) -> Outcome:
    """A record that the platform knows already was delivered; of a batch nobody can tell which one it is."""
    if not _is_json(answer.headers.get("content-type", "")) or not _DUPLICATE.search(
        answer.body.decode("utf-8", "replace")
    ):
        return TryAgain(f"HTTP {answer.status}", ambiguous=False, wait=wait)
    return Delivered() if len(records) == 1 else Unlocated(_refusal(answer.status, body, spec))


def _read(answer: Answer, body: Any, records: Sequence[bytes], spec: Answers) -> Outcome:
    """A status of success, and what its body adds."""
    success = spec.success
    said = answer.body.decode("utf-8", "replace").strip().lower()
    if answer.status in success.status and (
        said in success.text or (not said and answer.status in success.empty)
    ):
        return Delivered()
    if not isinstance(body, dict) or not _is_json(answer.headers.get("content-type", "")):
        return TryAgain(
            f"HTTP {answer.status} with a body that is not the platform's",
            ambiguous=True,
            not_understood=True,
        )
    named = _named(body, records, spec, partial=answer.status in spec.partial)
    if named is not None:
        return named
    if answer.status not in success.status or any(_get(body, path) for path in success.error):
        return TryAgain(
            f"HTTP {answer.status} with an error in its body", ambiguous=True, not_understood=True
        )
    if not _counts_agree(body, success, len(records)):
        return TryAgain(
            f"HTTP {answer.status} with another number of records than were sent",
            ambiguous=True,
            not_understood=True,
        )
    if any(_get(body, path) is None for path in success.present):
        return TryAgain(
            f"HTTP {answer.status} without what the platform says on success",
            ambiguous=True,
            not_understood=True,
        )
    for path, values in success.equals.items():
        if _get(body, path) not in values:
            return TryAgain(
                f"HTTP {answer.status} whose {path} does not say success",
                ambiguous=True,
                not_understood=True,
            )
    return Delivered(_receipt(body, spec))


def _receipt(body: dict[str, Any], spec: Answers) -> str | None:
    """Under which the final result can be asked for; nothing that no column could hold."""
    receipt = _plain(_get(body, spec.poll.receipt)) if spec.poll is not None else None
    return (
        receipt if receipt and receipt.isprintable() and len(receipt) <= LONGEST_RECEIPT else None
    )


def _counts_agree(body: dict[str, Any], success: Success, count: int) -> bool:
    if success.count is not None and _get(body, success.count) != count:
        return False
    for path, pattern in success.count_in.items():
        match = re.search(pattern, str(_get(body, path) or ""))
        if match is None or _whole(match.group(1)) != count:
            return False
    return True


def _refused(status: int, body: Any, records: Sequence[bytes], spec: Answers) -> Outcome:
    refusal = _refusal(status, body, spec)
    named = (
        _named(body, records, spec, partial=status in spec.partial)
        if isinstance(body, dict)
        else None
    )
    if named is not None and named.refused:
        return named
    if len(records) == 1:
        return Named(refused={0: refusal})
    return Unlocated(refusal)


def _refusal(status: int, body: Any, spec: Answers) -> Refusal:
    message = _first(body, spec.message) or ""
    return Refusal(_code(body, spec)[0] or str(status), message)


def _named(
    body: dict[str, Any], records: Sequence[bytes], spec: Answers, *, partial: bool
) -> Named | None:
    """Verdicts on single records; None where the body speaks of none. partial: who is not named as refused was taken."""
    located = spec.located
    entries = next(
        (
            found
            for path in located.path
            if isinstance(found := [body] if path == "." else _get(body, path), list)
        ),
        None,
    )
    if entries is None:
        refused = _by_pattern(body, located, len(records), spec)
    elif located.index is None and not located.echo:
        return _in_order(entries, located, len(records))
    else:
        refused = (
            _by_echo(entries, located, records)
            if located.echo
            else _by_index(entries, located, len(records))
        )
    if not refused:
        return None
    everyone = frozenset(range(len(records)))
    return Named(everyone - refused.keys() if partial else frozenset(), refused)


def _in_order(entries: list[Any], located: Located, count: int) -> Named | None:
    if len(entries) != count:
        return None
    delivered, refused = set(), {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        if all(entry.get(key) in values for key, values in located.ok.items()):
            delivered.add(index)
        else:
            refused[index] = _refusal_of(entry, located)
    return Named(frozenset(delivered), refused, unclear=len(delivered) + len(refused) < count)


def _by_index(entries: list[Any], located: Located, count: int) -> dict[int, Refusal]:
    refused: dict[int, Refusal] = {}
    for entry in entries:
        if not isinstance(entry, dict) or (located.warning and entry.get(located.warning)):
            continue
        index = _get(entry, located.index or "")
        accepted = located.ok and all(
            entry.get(key) in values for key, values in located.ok.items()
        )
        if isinstance(index, int) and 0 <= index < count and not accepted:
            refused.setdefault(index, _refusal_of(entry, located))
    return refused


def _by_pattern(
    body: dict[str, Any], located: Located, count: int, spec: Answers
) -> dict[int, Refusal]:
    code = _code(body, spec)[0] or _NO_CODE
    refused: dict[int, Refusal] = {}
    for entry, text in _texts(body, located.text):
        beside = _refusal_of(entry, located)
        for pattern in located.pattern:
            for match in re.finditer(pattern, text):
                said = beside.message or text[match.start() :].splitlines()[0][:300]
                refusal = Refusal(
                    code if beside.code == _NO_CODE else beside.code,
                    said,
                    match.groupdict().get("field"),
                )
                for index in map(_whole, re.findall(r"\d+", match.group(1))):
                    if index is not None and index < count:
                        refused.setdefault(index, refusal)
    return refused


def _by_echo(entries: list[Any], located: Located, records: Sequence[bytes]) -> dict[int, Refusal]:
    """Entries that repeat the refused record: found again by the fields that identify it, each record once."""
    nothing = orjson.dumps([None] * len(located.echo))
    sent: dict[bytes, list[int]] = {}
    for index in reversed(range(len(records))):
        record = orjson.loads(records[index])
        sent.setdefault(
            orjson.dumps([_get(record, ours) for ours in located.echo.values()]), []
        ).append(index)
    refused = {}
    for entry in entries:
        repeated = orjson.dumps([_get(entry, theirs) for theirs in located.echo])
        if repeated != nothing and sent.get(repeated):
            refused[sent[repeated].pop()] = _refusal_of(entry, located)
    return refused


def _refusal_of(entry: dict[str, Any], located: Located) -> Refusal:
    code = _get(entry, located.code) if located.code else None
    message = _get(entry, located.message) if located.message else None
    where = _get(entry, located.field) if located.field else None
    return Refusal(_plain(code) or _NO_CODE, _plain(message) or "", _plain(where))


def _texts(body: Any, paths: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Texts at the paths, each with the object that holds it."""
    for path in paths:
        above, _, key = path.rpartition(".")
        for entry in values_at(body, above) if above else [body]:
            if isinstance(entry, dict) and isinstance(entry.get(key), str):
                yield entry, entry[key]


def values_at(body: Any, path: str) -> list[Any]:
    """Values at a dotted path; `*` steps into every entry of a list."""
    values = [body]
    for key in path.split("."):
        if key == "*":
            values = [entry for value in values if isinstance(value, list) for entry in value]
        else:
            values = [value[key] for value in values if isinstance(value, dict) and key in value]
    return values


def _first(body: Any, paths: Sequence[str]) -> str | None:
    """The first text or number that stands at one of the paths."""
    return next((text for path in paths if (text := _plain(_get(body, path))) is not None), None)


def _get(body: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(body, list) and key.isdigit() and int(key) < len(body):
            body = body[int(key)]
        elif isinstance(body, dict):
            body = body.get(key)
        else:
            return None
    return body


def _whole(digits: str) -> int | None:
    """A number of records or a position; nothing that is longer than any can be, for Python refuses to read very long ones."""
    return int(digits) if len(digits) <= 9 else None


def _plain(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "application/json", "text/json", "text/plain") or kind.endswith("+json")
