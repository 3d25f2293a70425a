"""What a response means for the records of its request, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a platform refused a record.

    code: the platform's, or the HTTP status. message: its words, not yet redacted. field: the
    path that it blames.
    """

    code: str
    message: str
    field: str | None = None


class Delivered(NamedTuple):
    """All records were taken.

    receipt: under which the platform tells the final result later, where it does so.
    """

    receipt: str | None = None


@dataclass(frozen=True)
class PerRecord:
    """The response speaks of single records; those that it leaves out are sent again.

    delivered, refused: positions in the batch. unclear: the rest may have been taken, because
    the response judged each record and left some out.
    """

    delivered: frozenset[int] = frozenset()
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    unclear: bool = False


class Unlocated(NamedTuple):
    """At least one record is refused, and the response does not say which.

    by_bytes: the batch is too large.
    """

    refusal: Refusal
    by_bytes: bool = False


class Retry(NamedTuple):
    """The request is to be sent again.

    why: for people. ambiguous: the records may have been taken. wait: seconds that the platform
    asked for. throttled: it was asked too often. not_understood: the response was complete and
    said nothing that the platform would say; a proxy may have given it. unreachable: there was no
    connection.
    """

    why: str
    ambiguous: bool
    wait: float | None = None
    throttled: bool = False
    not_understood: bool = False
    unreachable: bool = False


class Halt(NamedTuple):
    """Nothing more can be delivered. auth: new credentials may help."""

    why: str
    auth: bool = False


Outcome = Delivered | PerRecord | Unlocated | Retry | Halt
