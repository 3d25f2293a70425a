"""The policy for HTTP statuses, as one table; what it does not know fails closed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Meaning(Enum):
    """What a status says before the body is read."""

    READ = "read"
    """Success if the body says so too."""
    REFUSED = "refused"
    """Some records are unacceptable: those that the body names, or else found by bisection."""
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
    # 418 and 420 are how some gateways throttle, 423 is a lock that passes.
    **dict.fromkeys((418, 420, 421, 423, 425, 429, 503), Meaning.RETRY),
    # nginx (499) and AWS load balancers (460) write these when the client hung up: too late to
    # tell whether the request was processed.
    **dict.fromkeys((460, 499), Meaning.AMBIGUOUS),
    **dict.fromkeys((500, 502, 504, *range(520, 528)), Meaning.AMBIGUOUS),
}

THROTTLING = frozenset({420, 429})
"""Statuses that say that the platform was asked too often."""


def meaning_of(status: int, overrides: Mapping[int, str]) -> Meaning:
    """Look up what an HTTP status means.

    Args:
        status: The status.
        overrides: Of the platform file; they come before the general table.
    """
    if status in overrides:
        return Meaning(overrides[status])
    if status in STATUS:
        return STATUS[status]
    if 200 <= status < 300:
        return Meaning.READ
    return Meaning.HALT if 400 <= status < 500 else Meaning.AMBIGUOUS
