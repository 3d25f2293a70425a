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
    **dict.fromkeys((421, 425, 429, 503), Meaning.RETRY),
    **dict.fromkeys((500, 502, 504, *range(520, 528)), Meaning.AMBIGUOUS),
}


def meaning_of(status: int, overrides: Mapping[int, str]) -> Meaning:
    """Look up a status. overrides: those of the platform file."""
    if status in overrides:
        return Meaning(overrides[status])
    return STATUS.get(status, Meaning.HALT if 400 <= status < 500 else Meaning.AMBIGUOUS)
