"""What a response means for the records of its request, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a platform refused a record.

    Attributes:
        code: The platform's, or the HTTP status.
        message: Its words, not yet redacted.
        field: The path that it blames.
    """

    code: str
    message: str
    field: str | None = None


class Delivered(NamedTuple):
    """All records were taken.

    Attributes:
        receipt: The id under which the platform tells the final result later; None where it does
            not.
    """

    receipt: str | None = None


@dataclass(frozen=True)
class PerRecord:
    """The response speaks of single records; those that it leaves out are sent again.

    Attributes:
        delivered: Positions in the batch.
        refused: Position in the batch -> why it was refused.
        unclear: The records that are left out may have been taken, because the response judged each
            of the others.
    """

    delivered: frozenset[int] = frozenset()
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    unclear: bool = False


class Unlocated(NamedTuple):
    """At least one record is refused, and the response does not say which.

    Attributes:
        refusal: Why.
        by_bytes: The batch is too large.
    """

    refusal: Refusal
    by_bytes: bool = False


class Retry(NamedTuple):
    """The request is to be sent again.

    Attributes:
        why: A phrase for people.
        ambiguous: The records may have been taken.
        wait: Seconds that the platform asked for; None where it did not.
        throttled: The platform was asked too often.
        not_understood: The response was complete and said nothing that the platform would say; a
            proxy may have given it.
        unreachable: There was no connection.
    """

    why: str
    ambiguous: bool
    wait: float | None = None
    throttled: bool = False
    not_understood: bool = False
    unreachable: bool = False


class Halt(NamedTuple):
    """Nothing more can be delivered.

    Attributes:
        why: A sentence for people.
        auth: The credentials were refused; new ones may help.
    """

    why: str
    auth: bool = False


Outcome = Delivered | PerRecord | Unlocated | Retry | Halt
